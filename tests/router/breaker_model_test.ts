import assert from "node:assert/strict";
import type { BreakerState } from "../../src/core/events.ts";
import { CircuitBreaker, type Permit } from "../../src/router/breaker.ts";
import { createRandom } from "../support/random.ts";

const THRESHOLD = 3;
const RECOVERY_MS = 1000;
const LONGEST_MS = 300_000;

/**
 * The breaker as its description reads, told in another way than the breaker is written: permits that still count are
 * a set, which every transition empties; of several probes in a row only the last may do more than succeed.
 */
class Model {
  state: BreakerState = "closed";
  failures = 0;
  waitMs = 0;
  openedAt = 0;
  probe: { readonly permit: number; readonly since: number } | undefined;
  last = -1;
  readonly valid = new Set<number>();

  acquire(permit: number, now: number): boolean {
    const probing = this.probe !== undefined && now - this.probe.since < RECOVERY_MS;
    if (this.state === "open" && now - this.openedAt < this.waitMs) return false;
    if (this.state === "half_open" && probing) return false;
    if (this.state !== "closed") {
      if (this.state === "open") this.valid.clear();
      this.state = "half_open";
      this.probe = { permit, since: now };
    }
    this.valid.add(permit);
    this.last = permit;
    return true;
  }

  settle(permit: number, verdict: Verdict, now: number): void {
    if (!this.valid.delete(permit)) return;
    if (this.state === "half_open" && this.last !== permit && verdict !== "succeeded") return;
    if (verdict === "withdrawn") this.probe = undefined;
    else if (verdict === "succeeded") this.#succeed();
    else this.#fail(now);
  }

  #succeed(): void {
    this.failures = 0;
    if (this.state === "half_open") this.valid.clear();
    this.state = "closed";
    this.probe = undefined;
  }

  #fail(now: number): void {
    this.failures++;
    if (this.state === "closed" && this.failures < THRESHOLD) return;
    this.waitMs = this.state === "closed" ? RECOVERY_MS : Math.min(LONGEST_MS, this.waitMs * 1.5);
    this.state = "open";
    this.openedAt = now;
    this.probe = undefined;
    this.valid.clear();
  }
}

const VERDICTS = ["succeeded", "failed", "withdrawn"] as const;
type Verdict = typeof VERDICTS[number];

/** Plays one random sequence on both and returns the states it went through. */
function compare(seed: number, steps: number): Set<BreakerState> {
  const random = createRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const model = new Model();
  let now = 0;
  const breaker = new CircuitBreaker({ failureThreshold: THRESHOLD, recoveryMs: RECOVERY_MS, now: () => now });
  const permits: Permit[] = [];
  const seen = new Set<BreakerState>();
  for (let step = 0; step < steps; step++) {
    const where = `seed ${seed}, step ${step}`;
    const choice = pick(10);
    if (choice < 4) {
      const permit = breaker.tryAcquire();
      assert.equal(permit !== null, model.acquire(permits.length, now), where);
      if (permit) permits.push(permit);
    } else if (choice < 8 && permits.length > 0) {
      // Mostly the latest permit, now and then any: also one that has been used or is out of date.
      const index = pick(3) > 0 ? permits.length - 1 : pick(permits.length);
      const verdict = VERDICTS[pick(4)] ?? "failed";
      permits[index]?.[verdict]("refused");
      model.settle(index, verdict, now);
    } else {
      now += pick(RECOVERY_MS);
    }
    const wait = model.state === "open" ? Math.max(0, model.openedAt + model.waitMs - now) : 0;
    assert.deepEqual([breaker.state, breaker.failures], [model.state, model.failures], where);
    assert.ok(Math.abs(breaker.retryInMs - wait) < 0.001, where);
    seen.add(breaker.state);
  }
  return seen;
}

Deno.test("CircuitBreaker agrees with a model of it over random sequences of calls and pauses", () => {
  const complete = Array.from({ length: 200 }, (_, seed) => compare(seed, 400)).filter(({ size }) => size === 3);
  assert.ok(complete.length > 100, `only ${complete.length} sequences went through all three states`);
});
