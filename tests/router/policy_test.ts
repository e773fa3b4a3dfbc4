import assert from "node:assert/strict";
import { ProviderError, type ProviderErrorOptions } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import { countsAgainstBreaker, nextStep, type Progress, type Step, withoutRetry } from "../../src/router/policy.ts";

function errorOf(kind: ErrorKind, options: Partial<ProviderErrorOptions> = {}): ProviderError {
  return new ProviderError(kind, "it failed", { provider: "groq", ...options });
}

interface Row {
  readonly nothing: Step;
  readonly received: Step;
  readonly counts: boolean;
}

/** Every kind of error: what follows before and after the first token of an answer nobody has seen, and whose fault. */
const TABLE: Readonly<Record<ErrorKind, Row>> = {
  unavailable: { nothing: "retry", received: "next_model", counts: true },
  timeout: { nothing: "next_model", received: "next_model", counts: true },
  protocol: { nothing: "next_model", received: "next_model", counts: true },
  rate_limit: { nothing: "next_model", received: "next_model", counts: false },
  auth: { nothing: "next_provider", received: "next_provider", counts: false },
  model_not_found: { nothing: "next_model", received: "next_model", counts: false },
  egress_denied: { nothing: "next_model", received: "next_model", counts: false },
  context_length: { nothing: "larger_context", received: "larger_context", counts: false },
  bad_request: { nothing: "stop", received: "stop", counts: false },
  content_filter: { nothing: "stop", received: "stop", counts: false },
  aborted: { nothing: "stop", received: "stop", counts: false },
};
const KINDS = Object.entries(TABLE) as [ErrorKind, Row][];

Deno.test("nextStep() follows the table for every kind before anything was shown", () => {
  for (const [kind, row] of KINDS) {
    assert.equal(nextStep(errorOf(kind), "nothing"), row.nothing, `${kind}, nothing`);
    assert.equal(nextStep(errorOf(kind), "received"), row.received, `${kind}, received`);
  }
});

Deno.test("nextStep() stops for every kind once something was shown: no splice of two models", () => {
  for (const [kind] of KINDS) assert.equal(nextStep(errorOf(kind), "shown"), "stop", kind);
});

Deno.test("nextStep() tries 500 and 502 once more, and leaves the provider at once on 503", () => {
  const steps = [500, 502, 503, 504].map((status) => nextStep(errorOf("unavailable", { status }), "nothing"));
  assert.deepEqual(steps, ["retry", "retry", "next_provider", "retry"]);
});

Deno.test("nextStep() decides by the kind, whatever the message says", () => {
  const error = new ProviderError("bad_request", "503 timeout, connection refused", { provider: "groq", status: 503 });
  for (const progress of ["nothing", "received", "shown"] as Progress[]) {
    assert.equal(nextStep(error, progress), "stop");
  }
});

Deno.test("withoutRetry() leaves a provider that nobody answered for, and only the model of one that did", () => {
  assert.equal(withoutRetry(errorOf("unavailable")), "next_provider");
  assert.equal(withoutRetry(errorOf("unavailable", { status: 500 })), "next_model");
});

Deno.test("countsAgainstBreaker() counts bad health alone", () => {
  for (const [kind, { counts }] of KINDS) assert.equal(countsAgainstBreaker(errorOf(kind)), counts, kind);
});

Deno.test("countsAgainstBreaker() forgives a model that loads slowly", () => {
  assert.equal(countsAgainstBreaker(errorOf("timeout", { whileLoading: true })), false);
});
