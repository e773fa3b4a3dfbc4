import assert from "node:assert/strict";
import { Slots } from "../../src/core/slots.ts";
import { Conversation } from "../../src/discord/conversation.ts";
import { message } from "./messages.ts";

const USER = { id: "discord:7", name: "Ana" };
const REQUEST = { message: "hola", conversation_id: "discord:5", cognitive_mode: 2, user: USER } as const;
const nextTask = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A conversation whose agent answers at once; its first answer is posted when `confirm` is called. */
function createScene() {
  const posted: string[] = [];
  const { promise: confirmed, resolve: confirm } = Promise.withResolvers<void>();
  const conversation = new Conversation({
    channelId: "5",
    api: { chat: () => Promise.resolve({ content: "hola", silent: false }) },
    rest: {
      async post(_, { replyTo = "" }) {
        if (posted.push(replyTo) === 1) await confirmed;
        return undefined;
      },
      typing: () => Promise.resolve(),
    },
    slots: new Slots(1),
    ask: () => Promise.resolve({ request: REQUEST, language: "es", names: { self: [], others: [] } }),
    language: () => "es",
    pace: () => ({ cooldownMs: 0, readingSpeed: 0 }),
    onSpoken: () => {},
    log: { error() {}, warn() {}, info() {}, debug() {} },
  });
  return { conversation, posted, confirm };
}

Deno.test("Conversation.hear() loses nothing, in whichever step of an ending answer it comes", async () => {
  for (let steps = 0; steps < 20; steps++) {
    const { conversation, posted, confirm } = createScene();
    conversation.hear("addressed", message("10"));
    await nextTask();
    confirm();
    for (let step = 0; step < steps; step++) await Promise.resolve();
    conversation.hear("addressed", message("11"));
    await nextTask();
    assert.deepEqual(posted, ["10", "11"], `after ${steps} steps`);
    assert.ok(conversation.isIdle);
  }
});

Deno.test("Conversation.hear() begins nothing once it is stopped", async () => {
  const { conversation, posted } = createScene();
  await conversation.stop();
  conversation.hear("addressed", message("10"));
  await nextTask();
  assert.deepEqual(posted, []);
  assert.ok(conversation.isIdle);
});
