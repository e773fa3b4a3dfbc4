import assert from "node:assert/strict";
import fc from "fast-check";
import { Roster } from "../../src/discord/roster.ts";
import { author, member, message } from "./messages.ts";

Deno.test("Roster.seen() knows people by id, whatever they are called", () => {
  const roster = new Roster();
  roster.seen(message("1", { author: author("7", { name: "Ana" }), atMs: 1000 }));
  roster.seen(message("2", { author: author("7", { name: "Ana María" }), atMs: 3000 }));
  roster.seen(message("3", { author: author("7", { name: "Ana María" }), atMs: 2000 })); // told late
  assert.deepEqual(roster.known("7"), {
    id: "7",
    name: "Ana María",
    username: "user_7",
    messages: 3,
    lastSeenMs: 3000,
  });
  assert.equal(roster.known("8"), undefined);
});

Deno.test("Roster.seen() makes whoever writes a member, and knows neither bots nor webhooks", () => {
  const roster = new Roster();
  roster.seen(message("1", { author: author("7") }));
  roster.seen(message("2", { author: author("8", { isBot: true }) }));
  roster.seen(message("3", { author: author("9", { isBot: true, isWebhook: true }) }));
  roster.seen(message("4", { author: author("10"), guildId: undefined }));
  assert.deepEqual(roster.membersOf("3"), [member("8", { isBot: true }), member("7")]);
  assert.deepEqual(roster.size, { guilds: 1, members: 2, known: 2 });
});

Deno.test("Roster forgets those first who were not seen for longest", () => {
  const roster = new Roster({ mostKnown: 2 });
  for (const id of ["1", "2", "1", "3"]) roster.seen(message(id, { author: author(id) }));
  assert.deepEqual(["1", "2", "3"].map((id) => roster.known(id)?.messages), [2, undefined, 1]);
});

Deno.test("Roster.membersOf() gives those first who wrote last", () => {
  const roster = new Roster();
  roster.members("3", [member("1"), member("2"), member("3"), member("4")]);
  for (const id of ["2", "1", "2"]) roster.seen(message(id, { author: author(id) }));
  roster.members("3", [member("4", { name: "New name" })]); // a change is not a sign of life
  assert.deepEqual(roster.membersOf("3").map(({ id }) => id), ["2", "1", "4", "3"]);
  assert.equal(roster.nameOf("4", "3"), "New name");
  assert.deepEqual(roster.membersOf("unknown"), []);
});

Deno.test("Roster.nameOf() does not carry a name from one server into another", () => {
  const roster = new Roster();
  roster.seen(message("1", { author: author("7", { name: "Secret club name" }), guildId: "3" }));
  assert.equal(roster.nameOf("7", "3"), "Secret club name");
  assert.equal(roster.nameOf("7", "4"), "user_7");
  assert.equal(roster.nameOf("7", undefined), "user_7");
  assert.equal(roster.nameOf("8", "3"), undefined);
});

Deno.test("Roster lets go of members and servers that are gone", () => {
  const roster = new Roster();
  roster.members("3", [member("1"), member("2")]);
  roster.members("4", [member("1")]);
  roster.memberGone("3", "1");
  roster.memberGone("3", "1");
  roster.memberGone("9", "1");
  assert.deepEqual(roster.size, { guilds: 2, members: 2, known: 0 });
  roster.guildGone("3");
  roster.guildGone("3");
  assert.deepEqual(roster.size, { guilds: 1, members: 1, known: 0 });
  roster.memberGone("4", "1");
  assert.deepEqual(roster.size, { guilds: 0, members: 0, known: 0 });
});

Deno.test("Roster.membersOf() puts those first who are online, each group in the order it was", () => {
  const roster = new Roster({ mostMembers: 4 });
  const order = () => roster.membersOf("3").map(({ id }) => id).join("");
  roster.members("3", [member("1"), member("2"), member("3"), member("4")]);
  assert.equal(order(), "4321");
  roster.presences([{ userId: "1", isOnline: true }, { userId: "3", isOnline: true }, { userId: "9", isOnline: true }]);
  assert.equal(order(), "3142");
  roster.presences([{ userId: "3", isOnline: false }]);
  assert.equal(order(), "1432");
  roster.forget("1");
  roster.members("3", [member("1")]);
  assert.equal(order(), "1432", "known again, as the latest; and no longer as online");
  roster.seen(message("5", { author: author("4") }));
  assert.equal(order(), "4132");
});

Deno.test("Roster.forget() leaves nothing of a person in any server", () => {
  const roster = new Roster();
  roster.members("4", [member("7"), member("8")]);
  roster.seen(message("1"));
  roster.forget("7");
  roster.forget("7");
  assert.equal(roster.known("7"), undefined);
  assert.equal(roster.nameOf("7", "4"), undefined);
  assert.deepEqual(roster.size, { guilds: 1, members: 1, known: 0 });
});

Deno.test("Roster takes 100,000 members of one server without losing those of the small ones", () => {
  const roster = new Roster();
  for (let guild = 0; guild < 49; guild++) {
    roster.members(`small${guild}`, Array.from({ length: 100 }, (_, index) => member(`${guild}-${index}`)));
  }
  roster.seen(message("1", { guildId: "huge", author: author("first") }));
  for (let chunk = 0; chunk < 100; chunk++) {
    roster.members("huge", Array.from({ length: 1000 }, (_, index) => member(`${chunk * 1000 + index}`)));
    roster.seen(message("1", { guildId: "huge", author: author("first") }));
  }
  assert.ok(roster.size.members <= 20_000 && roster.size.members > 15_000, String(roster.size.members));
  for (let guild = 0; guild < 49; guild++) assert.equal(roster.membersOf(`small${guild}`).length, 100);
  assert.equal(roster.membersOf("huge")[0]?.id, "first");
});

Deno.test("Roster stays within its bounds for any number of people and servers", () => {
  const step = fc.record({
    guild: fc.nat(5).map(String),
    user: fc.nat(60).map(String),
    kind: fc.constantFrom("member", "seen", "gone", "forget", "guildGone"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const roster = new Roster({ mostMembers: 20, mostKnown: 10 });
    for (const { guild, user, kind } of steps) {
      if (kind === "member") roster.members(guild, [member(user)]);
      if (kind === "seen") roster.seen(message("1", { guildId: guild, author: author(user) }));
      if (kind === "gone") roster.memberGone(guild, user);
      if (kind === "forget") roster.forget(user);
      if (kind === "guildGone" && user < "1") roster.guildGone(guild);
      const lists = ["0", "1", "2", "3", "4", "5"].map((id) => roster.membersOf(id).length);
      assert.equal(roster.size.members, lists.reduce((sum, length) => sum + length, 0));
      assert.equal(roster.size.guilds, lists.filter((length) => length > 0).length);
      assert.ok(roster.size.members <= 20 && roster.size.known <= 10);
      if (kind === "seen") assert.ok(roster.known(user) && roster.nameOf(user, guild), "the latest stays");
    }
  }));
});

Deno.test("Roster keeps no more of a name than can be a name", () => {
  const roster = new Roster();
  roster.seen(message("1", { author: author("7", { name: "🎉".repeat(2000), username: "u".repeat(5000) }) }));
  assert.equal(roster.known("7")?.name, "🎉".repeat(40));
  assert.equal(roster.known("7")?.username.length, 80);
  assert.equal(roster.nameOf("7", "3"), "🎉".repeat(40));
});
