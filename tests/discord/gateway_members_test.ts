import assert from "node:assert/strict";
import type { Packet } from "../support/fake_gateway.ts";
import { connectedScene, rawMessage, type Scene, setScene, until } from "./gateway_scene.ts";

const OP = { identify: 2, resume: 6, members: 8 };
const GUILD = "4194304";
const OTHER = "8388608";

function people(count: number): object[] {
  return Array.from({ length: count }, (_, n) => ({ user: { id: String(700 + n), username: `user${n}` } }));
}

function asked({ fake }: Scene): unknown[] {
  return fake.received(OP.members).map(({ d }) => d["guild_id"]);
}

/** Ids of the members of a server that the gateway told of, but for the bot's own. */
function known({ told }: Scene, guildId: string): string[] {
  return told("members").filter(([id]) => id === guildId).flatMap(([, members]) => members.map(({ id }) => id))
    .filter((id) => id.length === 3);
}

/** Everything that the server has sent until now has been dealt with. */
async function caughtUp({ fake, told }: Scene): Promise<void> {
  const last = rawMessage("last");
  fake.dispatch("MESSAGE_CREATE", last);
  await until(() => told("message").some(([{ id }]) => id === last.id));
}

Deno.test("Gateway asks for the members of every server once, and passes on all parts of the lists", async () => {
  const guilds = [{ id: GUILD, members: people(5) }, { id: OTHER, members: people(1) }];
  await using scene = await connectedScene({ guilds });
  await until(() => known(scene, OTHER).length === 1);
  assert.deepEqual(known(scene, GUILD), ["700", "701", "702", "703", "704"]);
  assert.deepEqual(asked(scene), [GUILD, OTHER]);
  assert.deepEqual(scene.fake.received(OP.members)[0]?.d, { guild_id: GUILD, query: "", limit: 0 });
});

Deno.test("Gateway asks for the members of a server again when it is told of it anew, but not sooner than allowed", async () => {
  const guilds = [{ id: GUILD, members: people(1) }];
  await using scene = await connectedScene({ guilds });
  await until(() => known(scene, GUILD).length === 1);
  for (let n = 0; n < 3; n++) scene.fake.dispatch("GUILD_CREATE", { id: GUILD });
  await caughtUp(scene);
  assert.deepEqual(asked(scene), [GUILD]);

  await using quick = await connectedScene({ guilds, times: { membersGapMs: 60 } });
  await until(() => known(quick, GUILD).length === 1);
  const fromMs = performance.now();
  for (let n = 0; n < 3; n++) quick.fake.dispatch("GUILD_CREATE", { id: GUILD });
  await until(() => known(quick, GUILD).length === 2);
  assert.ok(performance.now() - fromMs >= 30);
  await caughtUp(quick);
  assert.deepEqual(asked(quick), [GUILD, GUILD]);
});

Deno.test("Gateway goes on to the next server when the members of one do not come", async () => {
  const guilds = [{ id: GUILD }, { id: OTHER }];
  await using scene = await connectedScene({ guilds, answersMembers: false, times: { membersMs: 20 } });
  await until(() => asked(scene).length === 2);
  await until(() => scene.lines.filter((line) => line.includes("list of members")).length === 2);
  assert.deepEqual(asked(scene), [GUILD, OTHER]);
});

Deno.test("Gateway asks for no members without the intent, and works all the same", async () => {
  await using scene = await connectedScene({
    guilds: [{ id: GUILD, members: people(3) }],
    intents: { members: false },
  });
  await caughtUp(scene);
  assert.deepEqual(asked(scene), []);
  assert.equal(scene.told("guild").length, 1);
});

Deno.test("Gateway asks again for a list that a broken connection cut off", async () => {
  const guilds = [{ id: GUILD, members: people(3) }];
  let chunks = 0;
  // The first list loses its last part.
  const change = (packet: Packet) =>
    packet.t === "GUILD_MEMBERS_CHUNK" && ++chunks === 2 ? { ...packet, t: "SOMETHING_ELSE" } : packet;
  await using scene = await setScene({ guilds, change, times: { membersGapMs: 30 } });
  await scene.gateway.start();
  await until(() => known(scene, GUILD).length === 2);
  scene.fake.cut();
  await until(() => known(scene, GUILD).length === 5);
  assert.equal(scene.fake.received(OP.resume).length, 1);
  assert.deepEqual(asked(scene), [GUILD, GUILD]);
});

Deno.test("Gateway asks for no members of a server that it was put out of meanwhile", async () => {
  const guilds = [{ id: GUILD }, { id: OTHER }];
  await using scene = await connectedScene({ guilds, answersMembers: false, times: { membersMs: 40 } });
  await until(() => asked(scene).length === 1);
  scene.fake.dispatch("GUILD_DELETE", { id: OTHER });
  await until(() => scene.lines.some((line) => line.includes("list of members")));
  await caughtUp(scene);
  assert.deepEqual(asked(scene), [GUILD]);
});

Deno.test("Gateway asks for the members of many servers no faster than Discord takes packets", async () => {
  const guilds = Array.from({ length: 45 }, (_, n) => ({ id: String((n + 1) * 4194304) }));
  await using scene = await connectedScene({ guilds });
  const fromMs = performance.now();
  await until(() => asked(scene).length === 42);
  assert.ok(performance.now() - fromMs >= 900); // forty at once, then one a second
  assert.equal(new Set(asked(scene)).size, 42);
});

Deno.test("Gateway tells who is online, in lists and one by one, and asks for it where it may", async () => {
  const presences = [{ user: { id: "700" }, status: "idle" }, { user: { id: "x" }, status: "online" }, null];
  const guilds = [{ id: GUILD, presences, members: people(1) }];
  await using scene = await connectedScene({ guilds, intents: { presences: true } });
  scene.fake.dispatch("PRESENCE_UPDATE", { user: { id: "701" }, guild_id: GUILD, status: "dnd" });
  scene.fake.dispatch("PRESENCE_UPDATE", { user: { id: "701" }, guild_id: GUILD, status: "offline" });
  scene.fake.dispatch("PRESENCE_UPDATE", { user: {}, status: 7 });
  await caughtUp(scene);
  assert.deepEqual(scene.told("presences").map(([changes]) => changes), [
    [{ userId: "700", isOnline: true }],
    [{ userId: "701", isOnline: true }],
    [{ userId: "701", isOnline: false }],
  ]);
  await until(() => scene.fake.received(OP.members).length > 0);
  assert.equal(scene.fake.received(OP.members)[0]?.d["presences"], true);
});
