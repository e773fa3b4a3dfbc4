import assert from "node:assert/strict";
import fc from "fast-check";
import {
  readChannel,
  readChannels,
  readGuild,
  readInteraction,
  readMember,
  readMembers,
  readMessage,
  readSelf,
} from "../../src/discord/translate.ts";
import { rawMessage } from "./gateway_scene.ts";

/** A message with these changes, which must be one. */
function read(changes: object) {
  const message = readMessage(rawMessage("hola", changes));
  assert.ok(message);
  return message;
}

Deno.test("readMessage() takes everything that the bot wants to know", () => {
  const raw = rawMessage("hola", {
    id: "5",
    content: "hola <@1>",
    mentions: [{ id: "1" }, { id: "x" }],
    mention_roles: ["2", 3],
    mention_everyone: true,
    message_reference: { message_id: "4", channel_id: "22" },
    referenced_message: { author: { id: "9" } },
    attachments: [{ filename: "a.txt", url: "https://cdn.discordapp.com/a", size: 7, content_type: "text/plain" }, {}],
  });
  assert.deepEqual(readMessage(raw), {
    id: "5",
    channelId: "2234567890123456789",
    guildId: "4194304",
    author: { id: "777", name: "Anita", username: "ana", isBot: false, isWebhook: false, roleIds: ["42"] },
    content: "hola <@1>",
    mentionedUserIds: ["1"],
    repliesTo: { messageId: "4", authorId: "9" },
    attachments: [{ name: "a.txt", url: "https://cdn.discordapp.com/a", size: 7, contentType: "text/plain" }],
    atMs: Date.UTC(2026, 10, 29, 8),
  });
});

Deno.test("readMessage() takes what people write, and nothing that Discord says itself", () => {
  for (const type of [0, 19, undefined]) assert.ok(readMessage(rawMessage("hola", { type })), String(type));
  // A channel renamed, a boost, somebody joined, a thread begun with its name as the content.
  for (const type of [4, 8, 7, 18, "0", null]) assert.equal(readMessage(rawMessage("Django", { type })), undefined);
});

Deno.test("readMessage() shows the name that the server shows", () => {
  const author = { id: "777", username: "ana", global_name: "Ana" };
  assert.equal(read({ author, member: { nick: "Anita" } }).author.name, "Anita");
  assert.equal(read({ author, member: { nick: null } }).author.name, "Ana");
  assert.equal(read({ author: { ...author, global_name: null }, member: undefined }).author.name, "ana");
});

Deno.test("readMessage() tells people, bots and webhooks apart, and direct messages from others", () => {
  assert.equal(read({ author: { id: "1", username: "b", bot: true } }).author.isBot, true);
  assert.equal(read({ webhook_id: "8" }).author.isWebhook, true);
  assert.equal(read({ guild_id: undefined, member: undefined }).guildId, undefined);
});

Deno.test("readMessage() takes a message that was passed on for no reply", () => {
  assert.equal(read({ message_reference: { type: 1, message_id: "4" } }).repliesTo, undefined);
  assert.deepEqual(read({ message_reference: { type: 0, message_id: "4" }, referenced_message: null }).repliesTo, {
    messageId: "4",
    authorId: undefined,
  });
});

Deno.test("readMessage() takes the time from the id where there is no other", () => {
  // The example of Discord's documentation, "Snowflakes".
  assert.equal(read({ id: "175928847299117063", timestamp: undefined }).atMs, 1_462_015_105_796);
});

Deno.test("readMessage() refuses what has no author, as an update that only adds a preview", () => {
  assert.equal(readMessage({ id: "5", channel_id: "22", embeds: [{}] }), undefined);
});

Deno.test("readGuild() finds the bot's own role, and leaves out a server that is out of order", () => {
  const roles = [{ id: "1", tags: { bot_id: "8" } }, { id: "2", name: "Django", tags: { bot_id: "9" } }, { id: "3" }];
  const raw = { id: "4194304", name: "Jardín", roles, member_count: 12 };
  assert.deepEqual(readGuild(raw, "9"), {
    id: "4194304",
    name: "Jardín",
    ownRoleId: "2",
    memberCount: 12,
    ownerId: undefined,
    moderatorRoleIds: [],
    roleNames: new Map([["2", "Django"]]),
  });
  assert.equal(readGuild(raw, undefined)?.ownRoleId, undefined);
  assert.equal(readGuild({ ...raw, unavailable: true }, "9"), undefined);
});

Deno.test("readGuild() knows whose it is, and which roles may manage messages", () => {
  const permissions = [String(1 << 13), String(1 << 3), String(1 << 11), "2147483647999", "-1", "x", undefined];
  const roles = permissions.map((bits, index) => ({ id: String(index + 1), permissions: bits }));
  const guild = readGuild({ id: "1", owner_id: "5", roles }, "9");
  assert.deepEqual([guild?.ownerId, guild?.moderatorRoleIds], ["5", ["1", "2", "4"]]);
});

Deno.test("readChannels() takes channels and threads, and a parent for threads only", () => {
  const raw = {
    channels: [{ id: "1", name: "huerto", topic: "", type: 0, parent_id: "9" }],
    threads: [{ id: "2", name: "riego", type: 12, parent_id: "1" }, "x"],
  };
  assert.deepEqual(readChannels(raw, "7"), [
    { id: "1", guildId: "7", name: "huerto", topic: undefined, parentId: undefined },
    { id: "2", guildId: "7", name: "riego", topic: undefined, parentId: "1" },
  ]);
});

Deno.test("the readers of Discord's objects throw for nothing", () => {
  const fields = [
    "id",
    "channel_id",
    "guild_id",
    "author",
    "member",
    "user",
    "roles",
    "tags",
    "mentions",
    "attachments",
  ];
  const names = fields.concat("timestamp", "message_reference", "channels", "threads", "members", "nick", "username");
  const leaf = fc.oneof(fc.anything(), fc.constantFrom("1", "22", null, "2026-11-29"));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value"), { maxLength: 3 }), tie("record")),
    record: fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 8 }),
  }));
  fc.assert(fc.property(value, (raw) => {
    for (const reader of [readMessage, readChannel, readMembers, readSelf]) reader(raw);
    readGuild(raw, "1");
    readChannels(raw, "1");
    if (typeof raw === "object" && raw !== null) readMember({ ...raw });
  }));
});

Deno.test("readInteraction() reads a command with its options and who may what, and no other interaction", () => {
  const raw = {
    id: "1",
    type: 2,
    token: "t",
    application_id: "2",
    channel_id: "3",
    guild_id: "4",
    member: { user: { id: "5", username: "ana" }, nick: "Ana", roles: ["6"], permissions: "8192" },
    data: { name: "mute", options: [{ name: "minutes", value: 5 }, { name: "question", value: "x" }, 7] },
  };
  const { author, options, ...rest } = readInteraction(raw) ?? {};
  assert.deepEqual(rest, {
    id: "1",
    token: "t",
    applicationId: "2",
    channelId: "3",
    guildId: "4",
    isModerator: true,
    name: "mute",
  });
  assert.deepEqual([author?.id, author?.name, author?.roleIds], ["5", "Ana", ["6"]]);
  assert.deepEqual([...options ?? []].slice(0, 2), [["minutes", "5"], ["question", "x"]]);
  const direct = readInteraction({
    ...raw,
    guild_id: undefined,
    member: undefined,
    user: { id: "5", username: "ana" },
  });
  assert.deepEqual([direct?.author.id, direct?.isModerator, direct?.guildId], ["5", false, undefined]);
  for (const broken of [{ type: 3 }, { token: "" }, { data: undefined }, { member: undefined }, { channel_id: 3 }]) {
    assert.equal(readInteraction({ ...raw, ...broken }), undefined, JSON.stringify(broken));
  }
  assert.equal(readSelf({ id: "1", username: "x" }, { id: "9" })?.applicationId, "9");
  assert.equal(readSelf({ id: "1", username: "x" })?.applicationId, "1");
});
