import assert from "node:assert/strict";
import { AskLimit } from "../../src/discord/ask_limit.ts";
import { newChannel } from "../../src/discord/channel_state.ts";
import { Conversation } from "../../src/discord/conversation.ts";
import { type Talk, Talks } from "../../src/discord/talks.ts";

function createTalks({ isMuted }: { readonly isMuted: boolean }): Talks {
  return new Talks(({ guildId }): Talk => ({
    guildId,
    conversation: new Conversation({} as ConstructorParameters<typeof Conversation>[0]),
    state: { ...newChannel(0), mutedUntilMs: isMuted ? Infinity : 0 },
    language: undefined,
  }));
}

Deno.test("Talks keeps the latest thousand, and gives the same talk for the same channel", () => {
  const talks = createTalks({ isMuted: false });
  const first = talks.of({ channelId: "0", guildId: "3" });
  for (let channel = 1; channel < 1500; channel++) {
    talks.of({ channelId: `${channel}`, guildId: "3" });
    assert.equal(talks.of({ channelId: "0", guildId: "3" }), first);
  }
  assert.equal([...talks.all()].length, 1000);
  assert.equal(talks.in("1"), undefined);
});

Deno.test("Talks never drops the talk it gives, even where none of the others may go", () => {
  const talks = createTalks({ isMuted: true });
  for (let channel = 0; channel < 1100; channel++) {
    const talk = talks.of({ channelId: `${channel}`, guildId: undefined });
    assert.equal(talks.in(`${channel}`), talk);
  }
});

Deno.test("AskLimit.take() counts each person's minute, and forgets it", () => {
  const limit = new AskLimit();
  const take = (user: string, nowMs: number) => limit.take(user, 2, nowMs);
  assert.deepEqual([take("a", 0), take("a", 1), take("a", 2), take("b", 3)], [true, true, false, true]);
  assert.deepEqual([take("a", 59_999), take("a", 60_000), take("a", 60_001), take("a", 60_002)], [
    false,
    true,
    true,
    false,
  ]);
});
