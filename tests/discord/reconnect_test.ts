import assert from "node:assert/strict";
import { type Course, createBackOff, describeDown, type Down, fateOf } from "../../src/discord/reconnect.ts";

const UP: Course = { resuming: false, opened: true, wasUp: true, strikes: 0 };
const CUT: Down = { kind: "closed", code: 1006 };
const UNREACHABLE: Down = { kind: "unreachable", cause: undefined };

Deno.test("fateOf() keeps a session as long as there is hope for it", () => {
  const rows: [Down, Partial<Course>, string][] = [
    [CUT, {}, "keep"],
    [{ kind: "closed", code: 4009 }, {}, "drop"],
    [{ kind: "silent" }, {}, "keep"],
    [{ kind: "asked" }, {}, "keep"],
    [{ kind: "invalid", resumable: true }, { resuming: true, wasUp: false }, "keep"],
    [{ kind: "invalid", resumable: false }, { resuming: true, wasUp: false }, "drop"],
    [CUT, { resuming: true }, "keep"],
    [CUT, { resuming: true, wasUp: false }, "keep"],
    [CUT, { resuming: true, wasUp: false, strikes: 1 }, "drop"],
    [{ kind: "late" }, { resuming: true, wasUp: false, strikes: 1 }, "drop"],
    // However long the server is away, it may still know the session.
    [UNREACHABLE, { resuming: true, wasUp: false, opened: false, strikes: 1 }, "elsewhere"],
  ];
  for (const [down, course, fate] of rows) assert.equal(fateOf(down, { ...UP, ...course }), fate, JSON.stringify(down));
});

Deno.test("createBackOff() doubles from a second to a minute, and spreads over half of each pause", () => {
  const latest = createBackOff({ random: () => 1 });
  const earliest = createBackOff({ random: () => 0 });
  assert.deepEqual([0, 1, 2, 5, 6, 7, 10_000].map(latest), [1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  assert.deepEqual([0, 6].map(earliest), [500, 30_000]);
  const pauses = new Set(Array.from({ length: 50 }, () => createBackOff()(6)));
  assert.ok(pauses.size > 40);
});

Deno.test("describeDown() has words for every end, and none of the other end's", () => {
  const downs: Down[] = [
    CUT,
    UNREACHABLE,
    { kind: "unreachable", cause: new Error("SECRET-CONTENT") },
    { kind: "silent" },
    { kind: "late" },
    { kind: "asked" },
    { kind: "invalid", resumable: false },
    { kind: "stopped" },
  ];
  for (const down of downs) assert.match(describeDown(down), /^(?!.*SECRET)[\w ]+$/);
});
