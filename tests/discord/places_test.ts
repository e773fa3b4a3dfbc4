import assert from "node:assert/strict";
import type { Channel, Guild } from "../../src/discord/events.ts";
import { Places } from "../../src/discord/places.ts";
import { author, message } from "./messages.ts";

function guild(id: string, more: Partial<Guild> = {}): Guild {
  const nobody = { ownRoleId: undefined, ownerId: undefined, moderatorRoleIds: [], roleNames: new Map() };
  return { id, name: `Server ${id}`, memberCount: 1, ...nobody, ...more };
}

function channel(id: string, guildId: string, parentId?: string): Channel {
  return { id, guildId, name: `channel-${id}`, topic: undefined, parentId };
}

Deno.test("Places knows what a server has now, whatever it had before", () => {
  const places = new Places();
  places.guild(guild("3"), [channel("5", "3"), channel("6", "3")]);
  places.guild(guild("4"), [channel("7", "4")]);
  places.guild(guild("3", { name: "Renamed" }), undefined);
  assert.equal(places.guildOf("3")?.name, "Renamed");
  assert.equal(places.channelOf("6")?.name, "channel-6");
  places.guild(guild("3"), [channel("5", "3")]);
  assert.equal(places.channelOf("6"), undefined, "it was deleted while nobody told");
  assert.equal(places.channelOf("7")?.name, "channel-7");
  places.guildGone("3");
  assert.deepEqual([places.guildOf("3"), places.channelOf("5"), places.guildOf(undefined)], Array(3).fill(undefined));
  places.channelGone("7");
  assert.equal(places.channelOf("7"), undefined);
});

Deno.test("Places.placeOf() names the channel of a thread, as soon as it is known", () => {
  const places = new Places();
  const said = message("1", { channelId: "8", guildId: "3" });
  assert.deepEqual(places.placeOf(said), { id: "8", guildId: "3", parentId: undefined });
  places.channel(channel("8", "3", "5"));
  assert.deepEqual(places.placeOf(said), { id: "8", guildId: "3", parentId: "5" });
});

Deno.test("Places.isModerator() knows owners, roles and what everybody may", () => {
  const places = new Places();
  places.guild(guild("3", { ownerId: "7", moderatorRoleIds: ["20"] }), []);
  places.guild(guild("4", { moderatorRoleIds: ["4"] }), []);
  const by = (id: string, roleIds: string[], guildId: string | undefined = "3") =>
    places.isModerator(message("1", { guildId, author: author(id, { roleIds }) }));
  assert.deepEqual([by("7", []), by("8", ["20"]), by("8", []), by("8", ["21"])], [true, true, false, false]);
  assert.deepEqual([by("8", [], "4"), by("7", [], "9"), by("7", [], undefined)], [true, false, true]);
});
