import assert from "node:assert/strict";
import { BOT_ID } from "../support/fake_gateway.ts";
import { connectedScene, rawMessage, type Scene, SECRET, setScene, until } from "./gateway_scene.ts";

const OP = { heartbeat: 1, identify: 2, resume: 6, members: 8, hello: 10 };

/** Texts of the messages that were passed on, without what all have in common. */
function texts({ told }: Scene): string[] {
  return told("message").map(([{ content }]) => content.replace(` ${SECRET}`, ""));
}

/** Sends a message and waits until it has come through: everything sent before has been dealt with then. */
async function say(scene: Scene, text: string): Promise<void> {
  scene.fake.dispatch("MESSAGE_CREATE", rawMessage(text));
  await until(() => texts(scene).includes(text));
}

Deno.test("Gateway.start() resolves at READY, and events come as calls", async () => {
  await using scene = await setScene({ guilds: [{ id: "4194304", name: "Jardín" }] });
  const { gateway, told } = scene;
  assert.equal(gateway.state, "connecting");
  await gateway.start();
  assert.equal(gateway.state, "ready");
  await say(scene, "hola");
  assert.deepEqual(told("ready"), [[{ id: BOT_ID, applicationId: BOT_ID, username: "django" }]]);
  assert.equal(told("guild")[0]?.[0].name, "Jardín");
  assert.equal(told("message")[0]?.[0].author.name, "Anita");
});

Deno.test("Gateway tells of edits, deletions, channels, threads, members and servers", async () => {
  await using scene = await connectedScene({ intents: { members: false } });
  const { fake, told } = scene;
  const [guild_id, channel_id, user] = ["4194304", "22", { id: "777", username: "ana" }];
  fake.dispatch("MESSAGE_UPDATE", rawMessage("new", { id: "5", edited_timestamp: "2026-11-29T08:01:00+00:00" }));
  fake.dispatch("MESSAGE_UPDATE", rawMessage("preview", { id: "6" }));
  fake.dispatch("MESSAGE_DELETE", { id: "7", channel_id, guild_id });
  fake.dispatch("MESSAGE_DELETE_BULK", { ids: ["8", "9"], channel_id, guild_id });
  fake.dispatch("CHANNEL_UPDATE", { id: "22", guild_id, name: "huerto", topic: "Tomates", type: 0, parent_id: "1" });
  fake.dispatch("THREAD_CREATE", { id: "23", guild_id, name: "riego", type: 11, parent_id: "22" });
  fake.dispatch("THREAD_LIST_SYNC", { guild_id, threads: [{ id: "24", name: "poda", type: 11, parent_id: "22" }] });
  fake.dispatch("CHANNEL_DELETE", { id: "22", guild_id });
  fake.dispatch("THREAD_DELETE", { id: "23", guild_id });
  fake.dispatch("GUILD_MEMBER_ADD", { guild_id, user, nick: "Anita" });
  fake.dispatch("GUILD_MEMBER_REMOVE", { guild_id, user });
  fake.dispatch("GUILD_CREATE", {
    id: guild_id,
    name: "Jardín",
    member_count: 3,
    channels: [{ id: "22", name: "huerto" }],
  });
  fake.dispatch("GUILD_DELETE", { id: guild_id, unavailable: true });
  fake.dispatch("GUILD_DELETE", { id: guild_id });
  fake.dispatch("EVENT_OF_THE_FUTURE", { id: "1" });
  await say(scene, "end");
  assert.deepEqual(told("messageEdited").map(([{ id }]) => id), ["5"]);
  assert.deepEqual(told("messagesDeleted"), [["22", ["7"]], ["22", ["8", "9"]]]);
  assert.deepEqual(told("channel").map(([{ id, topic, parentId }]) => [id, topic, parentId]), [
    ["22", "Tomates", undefined],
    ["23", undefined, "22"],
    ["24", undefined, "22"],
  ]);
  assert.deepEqual(told("channelGone"), [["22"], ["23"]]);
  assert.deepEqual(told("members"), [[guild_id, [{ id: "777", name: "Anita", username: "ana", isBot: false }]]]);
  assert.deepEqual(told("memberGone"), [[guild_id, "777"]]);
  assert.deepEqual(told("guild").map(([guild, channels]) => [guild.memberCount, channels?.length]), [[3, 1]]);
  assert.deepEqual(told("guildGone"), [[guild_id]]);
});

Deno.test("Gateway counts who comes and goes, and lets go of threads that are archived", async () => {
  await using scene = await connectedScene({ intents: { members: false } });
  const { fake, told } = scene;
  const guild_id = "4194304";
  const thread = { id: "23", guild_id, name: "riego", type: 11, parent_id: "22" };
  fake.dispatch("GUILD_CREATE", { id: guild_id, member_count: 3, emojis: [{ id: "1" }] });
  for (const id of ["701", "702"]) fake.dispatch("GUILD_MEMBER_ADD", { guild_id, user: { id, username: "u" } });
  fake.dispatch("GUILD_MEMBER_REMOVE", { guild_id, user: { id: "701" } });
  fake.dispatch("THREAD_UPDATE", { ...thread, thread_metadata: { archived: false } });
  fake.dispatch("THREAD_UPDATE", { ...thread, thread_metadata: { archived: true } });
  await say(scene, "end");
  assert.deepEqual(told("guild").map(([{ memberCount }, channels]) => [memberCount, channels?.length]), [
    [3, 0],
    [4, undefined],
    [5, undefined],
    [4, undefined],
  ]);
  assert.deepEqual(told("channel").map(([{ id }]) => id), ["23"]);
  assert.deepEqual(told("channelGone"), [["23"]]);
});

Deno.test("Gateway passes an event on once, whatever connection it comes over", async () => {
  await using scene = await connectedScene();
  const { fake, told } = scene;
  const [created, edited] = [
    rawMessage("once"),
    rawMessage("edited", { id: "5", edited_timestamp: "2026-11-29T08:01:00+00:00" }),
  ];
  const sendAll = () => {
    fake.dispatch("MESSAGE_CREATE", created);
    fake.dispatch("MESSAGE_UPDATE", edited);
    fake.dispatch("MESSAGE_DELETE", { id: "7", channel_id: "22" });
  };
  sendAll();
  sendAll();
  await say(scene, "same connection");
  fake.forget();
  fake.cut();
  await until(() => told("ready").length === 2);
  sendAll();
  await say(scene, "other session");
  assert.deepEqual(texts(scene), ["once", "same connection", "other session"]);
  assert.equal(told("messageEdited").length, 1);
  assert.equal(told("messagesDeleted").length, 1);
});

Deno.test("Gateway tells a second edit of the same message", async () => {
  await using scene = await connectedScene();
  for (const minute of ["01", "02"]) {
    const edited_timestamp = `2026-11-29T08:${minute}:00+00:00`;
    scene.fake.dispatch("MESSAGE_UPDATE", rawMessage(minute, { id: "5", edited_timestamp }));
  }
  await say(scene, "end");
  assert.equal(scene.told("messageEdited").length, 2);
});

Deno.test("Gateway survives handlers that throw or reject, and logs no word of theirs", async () => {
  let calls = 0;
  const react = (name: string) => {
    if (name !== "message") return;
    const error = new TypeError(`about ${SECRET}`);
    if (++calls % 2 === 0) return Promise.reject(error);
    throw error;
  };
  await using scene = await connectedScene({ react });
  await say(scene, "one");
  await say(scene, "two");
  await say(scene, "three");
  assert.equal(scene.fake.lines.length, 1);
  await until(() => scene.lines.filter((line) => line.startsWith("error")).length === 3);
  assert.match(
    scene.lines.findLast((line) => line.startsWith("error")) ?? "",
    /The handler of message failed: TypeError at /,
  );
});

Deno.test("Gateway survives a handler that throws at READY", async () => {
  const react = (name: string) => {
    if (name === "ready" || name === "guild") throw new Error("no");
  };
  await using scene = await connectedScene({ react, guilds: [{ id: "4194304" }] });
  await say(scene, "still here");
  assert.equal(scene.gateway.state, "ready");
});

Deno.test("Gateway leaves out packets that are none, and stays connected", async () => {
  await using scene = await connectedScene();
  const { fake, lines } = scene;
  const broken = [
    "",
    "{",
    "null",
    "[]",
    "1",
    "{}",
    `{"op":"0"}`,
    `{"op":0}`,
    `{"op":0,"t":7,"s":3}`,
    `{"op":99,"d":{}}`,
  ];
  for (const text of broken) fake.sendRaw(text);
  fake.sendRaw(`{"op":0,"t":"READY","s":1,"d":null}`);
  fake.sendRaw(`{"op":0,"t":"READY","s":1,"d":{"session_id":"","guilds":7}}`);
  fake.sendRaw(`{"op":10,"d":null}`);
  fake.sendRaw(new Uint8Array([1, 2, 3]));
  fake.sendRaw(`{"op":0,"t":"__proto__","s":null,"d":${"[".repeat(2000)}${"]".repeat(2000)}}`);
  const strange = [null, 7, "text", [], {}, { id: 5 }, { id: "x", channel_id: "../..", author: [] }];
  const types = ["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "GUILD_CREATE"]
    .concat("GUILD_DELETE", "CHANNEL_UPDATE", "THREAD_LIST_SYNC", "GUILD_MEMBERS_CHUNK", "GUILD_MEMBER_REMOVE");
  for (const t of types) for (const d of strange) fake.sendRaw(JSON.stringify({ op: 0, t, s: null, d }));
  await say(scene, "after all that");
  assert.equal(fake.lines.length, 1);
  assert.deepEqual(scene.order, ["ready", "message"]);
  assert.ok(lines.some((line) => line.includes("no packet")));
});

Deno.test("Gateway takes up a session where it broke off, and loses and repeats nothing", async () => {
  await using scene = await connectedScene();
  const { fake, gateway } = scene;
  await say(scene, "before");
  fake.cut();
  fake.dispatch("MESSAGE_CREATE", rawMessage("meanwhile"));
  await until(() => texts(scene).includes("meanwhile"));
  await say(scene, "after");
  assert.deepEqual(texts(scene), ["before", "meanwhile", "after"]);
  assert.equal(gateway.state, "ready");
  assert.deepEqual(fake.received(OP.resume).map(({ d }) => [d["session_id"], d["seq"]]), [["session-1", 2]]);
  assert.equal(fake.received(OP.identify).length, 1);
  // Discord names an address for that.
  assert.match(fake.lines[1]?.path ?? "", /^\/resume\?v=10&encoding=json$/);
});

Deno.test("Gateway takes up a session after a connection that broke in the middle of a frame", async () => {
  await using scene = await connectedScene();
  await say(scene, "before");
  scene.fake.cut({ inFrame: true });
  await until(() => scene.fake.received(OP.resume).length === 1);
  await say(scene, "after");
  assert.deepEqual(texts(scene), ["before", "after"]);
});

Deno.test("Gateway takes up a session after bytes that are no frame", async () => {
  await using scene = await connectedScene();
  await say(scene, "before");
  scene.fake.sendGarbage();
  await until(() => scene.fake.received(OP.resume).length === 1);
  await say(scene, "after");
  assert.deepEqual(texts(scene), ["before", "after"]);
});

Deno.test("Gateway keeps the number of the last event over packets that have none", async () => {
  await using scene = await connectedScene();
  const { fake } = scene;
  await say(scene, "second event");
  fake.sendRaw(`{"op":11}`);
  fake.sendRaw(`{"op":1,"d":null}`);
  fake.sendRaw(`{"op":0,"t":"TYPING_START","d":{}}`);
  fake.sendRaw(`{"op":0,"t":"TYPING_START","s":"x","d":{}}`);
  // Answered at once, with the number of the last event.
  await until(() => fake.received(1).length === 1);
  assert.equal(fake.received(1)[0]?.d, 2);
  fake.cut();
  await until(() => fake.received(OP.resume).length === 1);
  assert.equal(fake.received(OP.resume)[0]?.d["seq"], 2);
});

Deno.test("Gateway notices servers that it left while it was not connected", async () => {
  const guilds = [{ id: "4194304" }, { id: "8388608" }];
  await using scene = await connectedScene({ guilds });
  const { fake, told } = scene;
  await until(() => told("guild").length === 2);
  guilds.pop();
  fake.forget();
  fake.cut();
  await until(() => told("ready").length === 2);
  await say(scene, "end");
  assert.deepEqual(told("guildGone"), [["8388608"]]);
});

Deno.test("Gateway takes the address of an API with a slash or a version at its end", async () => {
  for (const apiUrlEnd of ["", "/", "/v10", "/v9/"]) {
    await using scene = await connectedScene({ apiUrlEnd });
    assert.equal(scene.fake.rest.calls[0]?.path, "/api/v10/gateway/bot");
  }
});

Deno.test("Gateway asks for the intents it is allowed, and hides its token from the log of its start", async () => {
  const bits = { guilds: 1, members: 2, messages: 512, direct: 4096, content: 32768 };
  const plain = bits.guilds | bits.messages | bits.direct;
  const expected = [
    [{}, plain | bits.members | bits.content],
    [{ members: false }, plain | bits.content],
    [{ members: false, content: false }, plain],
  ] as const;
  for (const [intents, sum] of expected) {
    await using scene = await connectedScene({ intents });
    assert.equal(scene.fake.received(OP.identify)[0]?.d["intents"], sum);
    assert.equal(JSON.stringify(scene.lines).includes("T0KEN"), false);
  }
});

Deno.test("Gateway tells the ledger of every connection and of every byte of its messages", async () => {
  const seen = new Map<string, number>();
  const note = (what: string) => (origin: string, bytes: number) => {
    if (origin.startsWith("ws")) seen.set(`${what} ${origin}`, (seen.get(`${what} ${origin}`) ?? 0) + bytes);
  };
  let connections = 0;
  const ledger = {
    sent: (origin: string, bytes: number) => {
      if (origin.startsWith("ws")) connections++;
      note("at first")(origin, bytes);
    },
    sentMore: note("sent"),
    received: note("received"),
  };
  const hello = { op: OP.hello, d: { heartbeat_interval: 41_250 }, s: null, t: null };
  let fromDiscord = JSON.stringify(hello).length;
  const change = (packet: object) => {
    fromDiscord += new TextEncoder().encode(JSON.stringify(packet)).length;
    return packet;
  };
  await using scene = await setScene({ ledger, change, heartbeatMs: hello.d.heartbeat_interval });
  await scene.gateway.start();
  await say(scene, "¿Qué tal, José? 🌱");
  const { origin } = new URL(`ws://127.0.0.1:${scene.fake.port}`);
  const toDiscord = [OP.identify, OP.heartbeat, OP.members].flatMap((op) => scene.fake.received(op))
    .reduce((sum, packet) => sum + JSON.stringify(packet).length, 0);
  assert.equal(connections, 1);
  assert.deepEqual(Object.fromEntries(seen), {
    [`at first ${origin}`]: 0,
    [`sent ${origin}`]: toDiscord,
    [`received ${origin}`]: fromDiscord,
  });
});
