import assert from "node:assert/strict";
import { type AgentEvent, createEventBus } from "../../src/core/events.ts";
import { Lane, type LaneSettings } from "../../src/router/lane.ts";

const SETTINGS: LaneSettings = {
  breaker: { failureThreshold: 1, recoveryMs: 60_000 },
  queue: { maxConcurrent: 1, maxWaiting: 1 },
};

function createLane() {
  const events: AgentEvent[] = [];
  const bus = createEventBus({ onListenerError: (error) => assert.fail(String(error)) });
  bus.subscribe((event) => events.push(event));
  return { lane: new Lane("groq", "https://api.groq.com", SETTINGS, bus), events };
}

Deno.test("Lane.status begins clean", () => {
  assert.deepEqual(createLane().lane.status, {
    breaker: "closed",
    failures: 0,
    retry_at: null,
    last_error_kind: null,
    in_flight: 0,
    waiting: 0,
    latency_p50_ms: null,
    latency_p95_ms: null,
  });
});

Deno.test("Lane.holdUntil() keeps the later of two moments, whichever comes first", () => {
  const { lane } = createLane();
  const now = Date.now();
  lane.holdUntil(now + 60_000);
  lane.holdUntil(now + 1_000);
  assert.ok(lane.heldMs > 50_000 && lane.heldMs <= 60_000, `${lane.heldMs} ms`);
  lane.holdUntil(now + 90_000);
  assert.ok(lane.heldMs > 80_000 && lane.heldMs <= 90_000, `${lane.heldMs} ms`);
  const retryAt = Date.parse(lane.status.retry_at ?? "");
  assert.ok(Math.abs(retryAt - (now + 90_000)) < 5_000, lane.status.retry_at ?? "null");
});

Deno.test("Lane.holdUntil() holds nothing for a moment that has passed", () => {
  const { lane } = createLane();
  lane.holdUntil(Date.now() - 1_000);
  assert.deepEqual([lane.heldMs, lane.status.retry_at], [0, null]);
});

Deno.test("Lane reports the transitions of its breaker with provider, reason and moment", () => {
  const { lane, events } = createLane();
  const before = Date.now();
  lane.breaker.tryAcquire()?.failed("unavailable: refused");
  const [event] = events;
  assert.ok(events.length === 1 && event?.name === "router.breaker_changed");
  const { retry_at, ...rest } = event.data;
  const expected = { provider: "groq", from: "closed", to: "open", reason: "unavailable: refused", failures: 1 };
  assert.deepEqual(rest, expected);
  assert.ok(Date.parse(retry_at ?? "") >= before + 60_000);
  assert.equal(lane.status.breaker, "open");
  assert.ok(Date.parse(lane.status.retry_at ?? "") > before + 50_000);
});

Deno.test("Lane.status counts running and waiting calls and remembers the last error", async () => {
  const { lane } = createLane();
  const { signal } = new AbortController();
  const first = await lane.queue.acquire("interactive", signal);
  const second = lane.queue.acquire("background", signal);
  lane.recordError("timeout");
  lane.recordError("protocol");
  const { in_flight, waiting, last_error_kind } = lane.status;
  assert.deepEqual([in_flight, waiting, last_error_kind], [1, 1, "protocol"]);
  first?.();
  (await second)?.();
  assert.equal(lane.status.in_flight, 0);
});

Deno.test("Lane.status gives nearest-rank percentiles of the last 128 answers", () => {
  const { lane } = createLane();
  lane.recordAnswer(7.004);
  assert.deepEqual([lane.status.latency_p50_ms, lane.status.latency_p95_ms], [7, 7]);
  // 1000 … 1 leaves 128 … 1: the old ones are forgotten and the order does not matter.
  for (let ms = 1000; ms >= 1; ms--) lane.recordAnswer(ms);
  assert.deepEqual([lane.status.latency_p50_ms, lane.status.latency_p95_ms], [64, 122]);
});

Deno.test("Lane.configure() hands new limits on and keeps what has happened", async () => {
  const { lane } = createLane();
  lane.breaker.tryAcquire()?.failed("refused");
  lane.holdUntil(Date.now() + 60_000);
  const { signal } = new AbortController();
  const first = await lane.queue.acquire("interactive", signal);
  lane.configure({
    breaker: { failureThreshold: 9, recoveryMs: 1 },
    queue: { maxConcurrent: 2, maxWaiting: 0 },
  });
  const second = lane.queue.acquire("interactive", signal);
  assert.ok(typeof second === "function", "a second place");
  assert.equal(lane.status.breaker, "open");
  assert.ok(lane.heldMs > 50_000);
  first?.();
  second();
});
