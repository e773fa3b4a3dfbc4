import assert from "node:assert/strict";
import {
  type BreakerSettings,
  type BreakerTransition,
  CircuitBreaker,
  MAX_RECOVERY_MS,
  type Permit,
} from "../../src/router/breaker.ts";

const SETTINGS: BreakerSettings = { failureThreshold: 3, recoveryMs: 1000 };

/** A breaker on a clock that only the test moves. */
function createBreaker(settings: BreakerSettings = SETTINGS) {
  const clock = { ms: 0 };
  const transitions: BreakerTransition[] = [];
  const onTransition = (transition: BreakerTransition) => void transitions.push(transition);
  const breaker = new CircuitBreaker({ ...settings, onTransition, now: () => clock.ms });
  return { breaker, clock, transitions };
}

/** Leave that has to be given. */
function acquire(breaker: CircuitBreaker): Permit {
  const permit = breaker.tryAcquire();
  assert.ok(permit, `a permit in state ${breaker.state}`);
  return permit;
}

function fail(breaker: CircuitBreaker, times = 1): void {
  for (let count = 0; count < times; count++) acquire(breaker).failed("refused");
}

/** A breaker that has opened at 0 ms and whose first probe is due at 1000 ms. */
function createOpenBreaker(settings: BreakerSettings = SETTINGS) {
  const parts = createBreaker(settings);
  fail(parts.breaker, settings.failureThreshold);
  assert.equal(parts.breaker.state, "open");
  return parts;
}

Deno.test("CircuitBreaker.tryAcquire() lets every call pass while closed", () => {
  const { breaker, transitions } = createBreaker();
  const permits = Array.from({ length: 50 }, () => acquire(breaker));
  for (const permit of permits) permit.succeeded();
  assert.deepEqual([breaker.state, breaker.failures, breaker.retryInMs, breaker.passable], ["closed", 0, 0, true]);
  assert.deepEqual(transitions, []);
});

Deno.test("CircuitBreaker opens at the threshold and says why and for how long", () => {
  const { breaker, transitions } = createBreaker();
  fail(breaker, 2);
  assert.deepEqual([breaker.state, breaker.failures], ["closed", 2]);
  acquire(breaker).failed("unavailable: refused");
  assert.deepEqual([breaker.state, breaker.failures, breaker.retryInMs, breaker.passable], ["open", 3, 1000, false]);
  assert.equal(breaker.tryAcquire(), null);
  assert.deepEqual(transitions, [
    { from: "closed", to: "open", reason: "unavailable: refused", failures: 3, retryInMs: 1000 },
  ]);
});

Deno.test("CircuitBreaker counts failures in a row: a success in between starts the count again", () => {
  const { breaker } = createBreaker();
  fail(breaker, 2);
  acquire(breaker).succeeded();
  assert.equal(breaker.failures, 0);
  fail(breaker, 2);
  assert.equal(breaker.state, "closed");
  fail(breaker);
  assert.equal(breaker.state, "open");
});

Deno.test("CircuitBreaker leaves its count alone when a call is withdrawn", () => {
  const { breaker, transitions } = createBreaker();
  fail(breaker, 2);
  for (let count = 0; count < 5; count++) acquire(breaker).withdrawn();
  assert.deepEqual([breaker.state, breaker.failures], ["closed", 2]);
  assert.deepEqual(transitions, []);
});

Deno.test("Permit heeds only the first of its verdicts", () => {
  const { breaker } = createBreaker();
  const failing = acquire(breaker);
  failing.failed("refused");
  failing.failed("refused");
  failing.failed("refused");
  failing.succeeded();
  failing.withdrawn();
  assert.deepEqual([breaker.state, breaker.failures], ["closed", 1]);
  const withdrawn = acquire(breaker);
  withdrawn.withdrawn();
  withdrawn.succeeded();
  withdrawn.failed("refused");
  assert.equal(breaker.failures, 1);
});

Deno.test("CircuitBreaker stays open until the recovery time is over, to the millisecond", () => {
  const { breaker, clock } = createOpenBreaker();
  clock.ms = 400;
  assert.equal(breaker.retryInMs, 600);
  clock.ms = 999;
  assert.deepEqual([breaker.tryAcquire(), breaker.retryInMs, breaker.state], [null, 1, "open"]);
  clock.ms = 1000;
  assert.deepEqual([breaker.passable, breaker.retryInMs, breaker.state], [true, 0, "open"]);
  acquire(breaker);
  assert.equal(breaker.state, "half_open");
});

Deno.test("CircuitBreaker closes after a probe that succeeds, and lets every call pass again", () => {
  const { breaker, clock, transitions } = createOpenBreaker();
  clock.ms = 1000;
  acquire(breaker).succeeded();
  assert.deepEqual([breaker.state, breaker.failures, breaker.retryInMs], ["closed", 0, 0]);
  assert.deepEqual(transitions.slice(1), [
    { from: "open", to: "half_open", reason: "recovery time is over", failures: 3, retryInMs: null },
    { from: "half_open", to: "closed", reason: "probe succeeded", failures: 0, retryInMs: null },
  ]);
  acquire(breaker);
  acquire(breaker);
});

Deno.test("CircuitBreaker reopens after a failed probe, and its next outage begins at the short wait again", () => {
  const { breaker, clock, transitions } = createOpenBreaker();
  clock.ms = 1000;
  acquire(breaker).failed("timeout: silent");
  assert.deepEqual([breaker.state, breaker.failures, breaker.retryInMs], ["open", 4, 1500]);
  assert.deepEqual(transitions.at(-1), {
    from: "half_open",
    to: "open",
    reason: "probe failed: timeout: silent",
    failures: 4,
    retryInMs: 1500,
  });
  clock.ms = 2499;
  assert.equal(breaker.tryAcquire(), null);
  clock.ms = 2500;
  acquire(breaker).succeeded();
  fail(breaker, 3);
  assert.equal(breaker.retryInMs, 1000);
});

Deno.test("CircuitBreaker waits half as long again after each failed probe, five minutes at most", () => {
  const { breaker, clock } = createOpenBreaker({ failureThreshold: 1, recoveryMs: 30_000 });
  const waits = [breaker.retryInMs];
  while (waits.length < 9) {
    clock.ms += breaker.retryInMs;
    acquire(breaker).failed("refused");
    waits.push(breaker.retryInMs);
  }
  const expected = [30_000, 45_000, 67_500, 101_250, 151_875, 227_812.5, 300_000, 300_000, 300_000];
  assert.deepEqual(waits.map((ms) => Math.round(ms * 10) / 10), expected);
  assert.equal(MAX_RECOVERY_MS, 300_000);
});

Deno.test("CircuitBreaker never waits less after a failed probe, even where the configured time is over the limit", () => {
  const { breaker, clock } = createOpenBreaker({ failureThreshold: 1, recoveryMs: 3_600_000 });
  clock.ms = 3_600_000;
  acquire(breaker).failed("refused");
  assert.equal(breaker.retryInMs, 3_600_000);
});

Deno.test("CircuitBreaker probes within 30 s of the end of a one-minute outage at its default settings", () => {
  const { breaker, clock } = createOpenBreaker({ failureThreshold: 3, recoveryMs: 30_000 });
  let probes = 0;
  for (; breaker.state !== "closed"; clock.ms += 100) {
    const permit = breaker.tryAcquire();
    if (!permit) continue;
    probes++;
    if (clock.ms < 60_000) permit.failed("refused");
    else permit.succeeded();
  }
  assert.equal(probes, 2);
  assert.ok(clock.ms >= 60_000 && clock.ms <= 90_000, `${clock.ms} ms`);
});

Deno.test("CircuitBreaker lets a single probe pass at a time", () => {
  const { breaker, clock } = createOpenBreaker();
  clock.ms = 1000;
  const probe = acquire(breaker);
  clock.ms = 1999;
  assert.deepEqual([breaker.passable, breaker.tryAcquire(), breaker.retryInMs], [false, null, 0]);
  probe.failed("refused");
  assert.equal(breaker.tryAcquire(), null);
});

Deno.test("CircuitBreaker gives the place of a withdrawn probe to the next caller", () => {
  const { breaker, clock, transitions } = createOpenBreaker();
  clock.ms = 1000;
  acquire(breaker).withdrawn();
  assert.deepEqual([breaker.state, breaker.passable, breaker.failures], ["half_open", true, 3]);
  const second = acquire(breaker);
  assert.equal(breaker.tryAcquire(), null);
  second.succeeded();
  assert.deepEqual(transitions.map(({ to }) => to), ["open", "half_open", "closed"]);
});

Deno.test("CircuitBreaker hands a probe over that has not returned within the recovery time", () => {
  for (const late of ["failed", "withdrawn"] as const) {
    const { breaker, clock } = createOpenBreaker();
    clock.ms = 1000;
    const lost = acquire(breaker);
    clock.ms = 2000;
    const heir = acquire(breaker);
    assert.equal(breaker.tryAcquire(), null);
    lost[late]("refused");
    assert.deepEqual([breaker.state, breaker.failures, breaker.tryAcquire()], ["half_open", 3, null], late);
    heir.succeeded();
    assert.equal(breaker.state, "closed", late);
  }
});

Deno.test("CircuitBreaker closes at the late success of a probe that lost its place", () => {
  const { breaker, clock } = createOpenBreaker();
  clock.ms = 1000;
  const slow = acquire(breaker);
  clock.ms = 2000;
  const heir = acquire(breaker);
  slow.succeeded();
  assert.equal(breaker.state, "closed");
  heir.failed("refused"); // begun before the breaker closed
  assert.deepEqual([breaker.state, breaker.failures], ["closed", 0]);
});

Deno.test("CircuitBreaker ignores results of calls begun before the last transition", () => {
  const { breaker, clock, transitions } = createBreaker();
  const [success, failure, withdrawal] = [acquire(breaker), acquire(breaker), acquire(breaker)];
  const [lateSuccess, lateFailure] = [acquire(breaker), acquire(breaker)];
  fail(breaker, 3);
  success.succeeded();
  failure.failed("refused");
  assert.deepEqual([breaker.state, breaker.failures, breaker.retryInMs], ["open", 3, 1000]);
  clock.ms = 1000;
  const probe = acquire(breaker);
  lateSuccess.succeeded();
  withdrawal.withdrawn();
  assert.deepEqual([breaker.state, breaker.tryAcquire()], ["half_open", null]);
  probe.succeeded();
  lateFailure.failed("refused");
  assert.deepEqual([breaker.state, breaker.failures], ["closed", 0]);
  assert.equal(transitions.length, 3);
});

Deno.test("CircuitBreaker.configure() keeps the state and applies from the next failure on", () => {
  const { breaker, clock } = createBreaker();
  fail(breaker, 2);
  breaker.configure({ failureThreshold: 5, recoveryMs: 2000 });
  fail(breaker, 2);
  assert.deepEqual([breaker.state, breaker.failures], ["closed", 4]);
  fail(breaker);
  assert.deepEqual([breaker.state, breaker.retryInMs], ["open", 2000]);
  breaker.configure({ failureThreshold: 1, recoveryMs: 10 });
  assert.deepEqual([breaker.state, breaker.failures, breaker.retryInMs], ["open", 5, 2000]);
  clock.ms = 2000;
  acquire(breaker).failed("refused");
  assert.equal(breaker.retryInMs, 3000);
});

Deno.test("CircuitBreaker reads the monotonic clock of the platform by default", () => {
  const breaker = new CircuitBreaker({ failureThreshold: 1, recoveryMs: 60_000 });
  acquire(breaker).failed("refused");
  assert.equal(breaker.tryAcquire(), null);
  assert.ok(breaker.retryInMs > 0 && breaker.retryInMs <= 60_000);
});
