import assert from "node:assert/strict";
import { parseDiscordSettings } from "../../src/config/discord_settings.ts";
import { type Asker, mayUse } from "../../src/discord/command_rights.ts";

const { commands } = parseDiscordSettings(
  JSON.stringify({
    commands: {
      who: { for: "listed", users: ["5"], roles: ["9"] },
      status: { for: "nobody", users: ["5"] },
      mute: { users: ["5"] },
    },
  }),
  "test",
);

function asker(id: string, changes: Partial<Asker> = {}, roleIds: string[] = []): Asker {
  return { author: { id, roleIds }, isModerator: false, isDirect: false, ...changes };
}

Deno.test("mayUse() lets moderators reset and mute, anyone in a direct message, and nobody else", () => {
  for (const command of ["reset", "mute"] as const) {
    assert.equal(mayUse(command, asker("1"), commands), false);
    assert.equal(mayUse(command, asker("1", { isModerator: true }), commands), true);
    assert.equal(mayUse(command, asker("1", { isDirect: true }), commands), true);
  }
  assert.equal(mayUse("mute", asker("5"), commands), true);
});

Deno.test("mayUse() lets everybody use what is everybody's, and those listed what is theirs", () => {
  for (const command of ["full", "memory", "help", "forget"] as const) {
    assert.equal(mayUse(command, asker("1"), commands), true);
  }
  assert.equal(mayUse("who", asker("1", { isModerator: true, isDirect: true }), commands), false);
  assert.equal(mayUse("who", asker("5"), commands), true);
  assert.equal(mayUse("who", asker("1", {}, ["8", "9"]), commands), true);
});

Deno.test("mayUse() lets nobody use what nobody may", () => {
  assert.equal(mayUse("status", asker("5", { isModerator: true, isDirect: true }), commands), false);
});
