import assert from "node:assert/strict";
import {
  ambientCallMade,
  botAnswerDue,
  heard,
  mutedUntil,
  newChannel,
  spoke,
} from "../../src/discord/channel_state.ts";
import { decide } from "../../src/discord/participation.ts";
import { ANA, describe, ID, NOW, outcome, type Scene, situation } from "./participation_scene.ts";

type Row = readonly [expected: string, settings: Readonly<Record<string, unknown>>, scene?: Scene];

/** What becomes of "Django, hola" under these settings. */
function table(rule: string, rows: readonly Row[]): void {
  Deno.test(`decide() ${rule}`, () => {
    for (const [expected, settings, scene] of rows) {
      assert.equal(outcome("Django, hola", { settings, ...scene }), expected, JSON.stringify({ settings, ...scene }));
    }
  });
}

const THREAD: Scene = { where: "thread" };
const DIRECT: Scene = { where: "direct" };
const WITH_ROLE: Scene = { author: { roleIds: ["41", ID.otherRole] } };

table("keeps to the list of what is allowed", [
  ["answer name", { allow: { guilds: [ID.guild] } }],
  ["answer name", { allow: { guilds: ["1", ID.guild] } }, THREAD],
  ["ignore denied", { allow: { guilds: ["1"] } }],
  ["answer dm", { allow: { guilds: ["1"] } }, DIRECT],
  ["answer name", { allow: { channels: [ID.channel] } }],
  ["answer name", { allow: { channels: [ID.channel] } }, THREAD],
  ["answer name", { allow: { channels: [ID.thread] } }, THREAD],
  ["ignore denied", { allow: { channels: [ID.thread] } }],
  ["ignore denied", { allow: { channels: ["1"] } }],
  ["answer dm", { allow: { channels: ["1"] } }, DIRECT],
  ["answer name", { allow: { users: [ID.ana] } }],
  ["ignore denied", { allow: { users: [ID.luis] } }],
  ["ignore denied", { allow: { users: [ID.luis] } }, DIRECT],
  ["answer name", { allow: { roles: [ID.otherRole] } }, WITH_ROLE],
  ["ignore denied", { allow: { roles: [ID.otherRole] } }],
  ["ignore denied", { allow: { roles: [ID.otherRole] } }, DIRECT],
  ["answer name", { allow: { roles: [ID.otherRole], users: [ID.ana] } }],
  ["answer name", { allow: { roles: [ID.otherRole], users: [ID.luis] } }, WITH_ROLE],
  ["ignore denied", { allow: { roles: [ID.otherRole], users: [ID.luis] } }],
  ["ignore denied", { allow: { guilds: [ID.guild], channels: ["1"], users: [ID.ana] } }],
]);

table("keeps to the list of what is denied, whatever is allowed", [
  ["ignore denied", { deny: { guilds: [ID.guild] } }],
  ["ignore denied", { deny: { guilds: [ID.guild] }, allow: { guilds: [ID.guild] } }, THREAD],
  ["answer dm", { deny: { guilds: [ID.guild] } }, DIRECT],
  ["ignore denied", { deny: { channels: [ID.channel] } }],
  ["ignore denied", { deny: { channels: [ID.channel] } }, THREAD],
  ["ignore denied", { deny: { channels: [ID.channel] }, allow: { channels: [ID.thread] } }, THREAD],
  ["ignore denied", { deny: { channels: [ID.thread] } }, THREAD],
  ["answer name", { deny: { channels: [ID.thread] } }],
  ["ignore denied", { deny: { channels: [ID.direct] } }, DIRECT],
  ["ignore denied", { deny: { users: [ID.ana] }, allow: { users: [ID.ana] } }],
  ["ignore denied", { deny: { users: [ID.ana] } }, DIRECT],
  ["ignore denied", { deny: { roles: [ID.otherRole] }, allow: { users: [ID.ana] } }, WITH_ROLE],
  ["answer name", { deny: { roles: [ID.otherRole], users: [ID.luis], channels: ["1"], guilds: ["1"] } }],
]);

table("answers direct messages of whom it is told to", [
  ["answer dm", { direct_messages: { from: "everyone" } }, DIRECT],
  ["ignore denied", { direct_messages: { from: "nobody", users: [ID.ana] } }, DIRECT],
  ["ignore denied", { direct_messages: { from: "listed" } }, DIRECT],
  ["ignore denied", { direct_messages: { from: "listed", users: [ID.luis] } }, DIRECT],
  ["answer dm", { direct_messages: { from: "listed", users: [ID.ana] } }, DIRECT],
  ["answer dm", { direct_messages: { from: "listed", users: [ID.ana] }, allow: { users: [ID.luis] } }, DIRECT],
  ["ignore denied", { direct_messages: { from: "listed", users: [ID.ana] }, deny: { users: [ID.ana] } }, DIRECT],
  ["answer name", { direct_messages: { from: "nobody" } }],
]);

table("says nothing where it is muted", [
  ["ignore muted", {}, { state: { mutedUntilMs: NOW + 1 } }],
  ["ignore muted", {}, { ...DIRECT, state: { mutedUntilMs: Infinity } }],
  ["answer name", {}, { state: { mutedUntilMs: NOW } }],
  ["answer name", {}, { state: { mutedUntilMs: 0 } }],
]);

table("answers whoever speaks to it during the cooldown, too", [
  ["answer name", {}, { state: { spokeAtMs: NOW } }],
  ["answer name", {}, { state: { spokeAtMs: NOW - 7_999 } }],
  ["answer name", {}, { state: { spokeAtMs: NOW - 8_000 } }],
  ["answer dm", {}, { ...DIRECT, state: { spokeAtMs: NOW - 3_000 } }],
  ["answer name", { cooldown_seconds: 1.5 }, { state: { spokeAtMs: NOW - 1_000 } }],
  ["answer name", { cooldown_seconds: 0 }, { state: { spokeAtMs: NOW } }],
  ["answer name", {}, { state: { spokeAtMs: NOW + 3_600_000 } }], // the clock was set back
]);

Deno.test("decide() speaks unasked only where that is on, threads as their channel unless named", () => {
  const rows: readonly [string, Readonly<Record<string, unknown>>, Scene?][] = [
    ["ambient", { default: "on" }],
    ["ignore ambient_off", { default: "off" }],
    ["ignore ambient_off", {}],
    ["ambient", { channels: { [ID.channel]: "on" } }],
    ["ambient", { channels: { [ID.channel]: "on" } }, THREAD],
    ["ignore ambient_off", { channels: { [ID.channel]: "on", [ID.thread]: "off" } }, THREAD],
    ["ambient", { channels: { [ID.channel]: "off", [ID.thread]: "on" } }, THREAD],
    ["ignore ambient_off", { channels: { [ID.thread]: "on" } }],
    ["ignore ambient_off", { default: "on", channels: { [ID.channel]: "off" } }],
    ["ignore ambient_off", { default: "on", channels: { [ID.channel]: "off" } }, THREAD],
  ];
  for (const [expected, ambient, scene] of rows) {
    assert.equal(outcome("it rains", { settings: { ambient }, ...scene }), expected, JSON.stringify(ambient));
  }
});

Deno.test("decide() asks the model no more often than the cooldown, the rate and the decay let it", () => {
  const ago = (...seconds: number[]) => seconds.map((one) => NOW - one * 1000);
  const rows: readonly [string, Scene][] = [
    ["ignore cooldown", { state: { spokeAtMs: NOW - 7_999 } }],
    ["ambient", { state: { spokeAtMs: NOW - 8_000, tookPartAtMs: NOW - 8_000 } }],
    ["ignore ambient_rate", { state: { ambientCallsMs: ago(59, 30) } }],
    ["ambient", { state: { ambientCallsMs: ago(90, 30), tookPartAtMs: NOW - 40_000 } }],
    ["ignore ambient_rate", { settings: { ambient: { default: "on", calls_per_minute: 0 } } }],
    ["ambient", { settings: { ambient: { default: "on", calls_per_minute: 3 } }, state: { ambientCallsMs: [] } }],
    // A minute after it spoke, half a minute has to pass between two calls.
    ["ignore decayed", { state: { tookPartAtMs: NOW - 60_000, ambientCallsMs: ago(29) } }],
    ["ambient", { state: { tookPartAtMs: NOW - 60_000, ambientCallsMs: ago(30) } }],
    // Ten minutes after it spoke, five; however long ago it was, half an hour is enough.
    ["ignore decayed", { state: { tookPartAtMs: NOW - 600_000, ambientCallsMs: ago(299) } }],
    ["ambient", { state: { tookPartAtMs: NOW - 600_000, ambientCallsMs: ago(300) } }],
    ["ignore decayed", { state: { tookPartAtMs: 0, ambientCallsMs: ago(1_799) } }],
    ["ambient", { state: { tookPartAtMs: 0, ambientCallsMs: ago(1_800) } }],
    // It has taken part since it was asked last.
    ["ambient", { state: { tookPartAtMs: NOW - 10_000, ambientCallsMs: ago(12) } }],
    // The clock was set back: nothing waits until it has caught up.
    ["ambient", { state: { spokeAtMs: NOW + 1e9, tookPartAtMs: NOW + 1e9, ambientCallsMs: [NOW + 1e9] } }],
  ];
  for (const [expected, scene] of rows) assert.equal(outcome("it rains", scene), expected, JSON.stringify(scene));
});

Deno.test("decide() asks a model that keeps silent more and more seldom, and one that speaks anew", () => {
  let state = newChannel(NOW);
  const calls: number[] = [];
  for (let second = 0; second <= 4 * 3600; second++) {
    const nowMs = NOW + second * 1000;
    const decision = decide({ ...situation("it rains", { nowMs }), state });
    if (decision.kind !== "ambient") continue;
    calls.push(second);
    state = ambientCallMade(state, nowMs);
  }
  const gaps = calls.slice(1).map((second, index) => second - (calls[index] ?? 0));
  assert.ok(calls.length > 10 && calls.length < 25, String(calls));
  assert.ok(gaps.slice(4).every((gap, index) => index === 0 || gap >= (gaps[index + 3] ?? 0)), String(gaps));
  assert.equal(gaps.at(-1), 1800);
  const laterMs = NOW + 5 * 3_600_000;
  state = spoke(state, { atMs: laterMs, text: "Yes." });
  const again = decide({ ...situation("it rains", { nowMs: laterMs + 8_000 }), state });
  assert.equal(describe(again), "ambient");
});

Deno.test("decide() ends the talk of two bots that answer each other, until a person writes", () => {
  const bot = { ...ANA, id: ID.bot, isBot: true };
  const settings = { bots: { listed: [ID.bot] }, cooldown_seconds: 0 };
  let state = newChannel(NOW);
  let nowMs = NOW;
  const answersTo = (rounds: number) => {
    let answers = 0;
    for (let round = 0; round < rounds; round++) {
      nowMs += 2_000;
      state = heard(state, bot);
      const decision = decide({ ...situation("Django, and you?", { author: bot, settings, nowMs }), state });
      if (decision.kind !== "answer") continue;
      answers++;
      state = spoke(botAnswerDue(state, nowMs), { atMs: nowMs, text: "And you?" });
    }
    return answers;
  };
  assert.equal(answersTo(42), 3);
  state = heard(state, { ...ANA, id: "302", isWebhook: true });
  assert.equal(answersTo(42), 0, "a webhook is nobody");
  state = heard(state, ANA);
  assert.equal(answersTo(42), 3);
  nowMs += 3_600_000;
  assert.equal(answersTo(42), 3, "an hour later it is another talk");
});

Deno.test("spoke() notices a question, of which a bare ok is the answer", () => {
  const asked = (text: string) => spoke(newChannel(0), { atMs: 1, text }).asked;
  for (const text of ["¿Lo borro?", "Shall I? ", "**Really?**", '"Why?"', "要不要？"]) assert.ok(asked(text), text);
  for (const text of ["Why? Because.", "", "Done.", `${"?".repeat(10)} ${"x".repeat(300)}`]) {
    assert.ok(!asked(text), text);
  }
});

Deno.test("the states of a channel are new ones, and stay small", () => {
  const first = Object.freeze(newChannel(NOW));
  assert.equal(heard(first, ANA), first);
  assert.equal(mutedUntil(first, NOW + 5).mutedUntilMs, NOW + 5);
  let state = first;
  for (let call = 0; call < 10_000; call++) state = ambientCallMade(state, NOW + call);
  assert.ok(state.ambientCallsMs.length <= 60);
  assert.equal(ambientCallMade(state, NOW + 3_600_000).ambientCallsMs.length, 1);
  assert.deepEqual(first, newChannel(NOW));
});
