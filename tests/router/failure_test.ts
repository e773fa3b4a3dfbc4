import assert from "node:assert/strict";
import { EXIT, exitCodeOf, ProviderError } from "../../src/core/errors.ts";
import type { Attempt, ErrorKind } from "../../src/core/types.ts";
import { explainFailure } from "../../src/router/failure.ts";

const KINDS: readonly ErrorKind[] = [
  "unavailable",
  "timeout",
  "rate_limit",
  "auth",
  "model_not_found",
  "context_length",
  "bad_request",
  "content_filter",
  "protocol",
  "aborted",
  "egress_denied",
];

function failed(error_kind: ErrorKind, provider = "groq"): Attempt {
  return { provider, model: "m", outcome: "failed", error_kind, reason: "it broke", remedy: "mend it", ms: 5 };
}

function skipped(error_kind: ErrorKind): Attempt {
  return { provider: "gemini", model: "n", outcome: "skipped", error_kind, reason: "not now", ms: 0 };
}

function kindOf(...attempts: Attempt[]): ErrorKind {
  return explainFailure({ attempts, partial: false }).kind;
}

Deno.test("explainFailure() lists every attempt with its kind and what to do, and carries them along", () => {
  const attempts = [failed("timeout"), skipped("unavailable")];
  const error = explainFailure({ attempts, partial: false });
  assert.deepEqual(error.message.split("\n"), [
    "No model could answer",
    "  groq/m: failed, timeout: it broke → mend it",
    "  gemini/n: skipped, unavailable: not now",
  ]);
  assert.deepEqual([error.attempts, error.name, error.cause], [attempts, "NoAnswerError", undefined]);
  assert.ok(error.remedy);
});

Deno.test("explainFailure() says once what went the same way twice, and nothing of what went well", () => {
  const ok: Attempt = { provider: "ollama", model: "o", outcome: "ok", ms: 1 };
  const attempts = [failed("protocol"), failed("timeout"), failed("protocol"), ok, failed("protocol", "gemini")];
  assert.deepEqual(explainFailure({ attempts, partial: false }).message.split("\n").slice(1), [
    "  groq/m: failed, protocol: it broke → mend it (2 times)",
    "  groq/m: failed, timeout: it broke → mend it",
    "  gemini/m: failed, protocol: it broke → mend it",
  ]);
});

Deno.test("explainFailure() takes over the kind of the failure that ended the call", () => {
  const cause = new ProviderError("content_filter", "refused", { provider: "groq" });
  const error = explainFailure({ attempts: [failed("timeout"), failed("content_filter")], partial: false, cause });
  assert.deepEqual([error.kind, error.exitCode, error.cause], ["content_filter", EXIT.data, cause]);
  assert.match(error.message, /^The model's provider refused the content\n/);
});

Deno.test("explainFailure() says that what was shown is not complete", () => {
  for (const kind of KINDS) {
    const cause = new ProviderError(kind, "broke", { provider: "groq" });
    const { message } = explainFailure({ attempts: [failed(kind)], partial: true, cause });
    assert.match(message, /^The answer broke off: what was shown is not complete\n {2}groq\/m: /, kind);
  }
});

Deno.test("explainFailure() gives every kind an exit code and a remedy of its own", () => {
  for (const kind of KINDS) {
    const cause = new ProviderError(kind, "broke", { provider: "groq" });
    const error = explainFailure({ attempts: [failed(kind)], partial: false, cause });
    assert.deepEqual([error.kind, error.exitCode], [kind, exitCodeOf(kind)]);
    assert.ok(error.remedy, kind);
  }
});

Deno.test("explainFailure() names one kind where all agree on what it means, and unavailable where they do not", () => {
  assert.equal(kindOf(failed("rate_limit"), skipped("rate_limit")), "rate_limit");
  assert.equal(kindOf(failed("timeout"), skipped("rate_limit")), "timeout");
  assert.equal(kindOf(failed("timeout"), failed("protocol")), "unavailable");
  assert.equal(kindOf(failed("auth"), failed("rate_limit")), "unavailable");
  assert.equal(kindOf(), "unavailable");
});

Deno.test("explainFailure() lets candidates that the set-up forbids decide only when nothing else was there", () => {
  assert.equal(kindOf(skipped("egress_denied"), failed("rate_limit")), "rate_limit");
  assert.equal(kindOf(skipped("auth"), failed("context_length"), skipped("egress_denied")), "context_length");
  assert.equal(kindOf(skipped("egress_denied")), "egress_denied");
  assert.equal(kindOf(skipped("auth"), skipped("egress_denied")), "auth");
});

Deno.test("explainFailure() says when trying again may work", () => {
  const before = Date.now();
  const error = explainFailure({ attempts: [failed("rate_limit")], partial: false, retryInMs: 29_001 });
  assert.equal(error.exitCode, EXIT.tempfail);
  assert.match(error.remedy ?? "", /in 30 s/);
  assert.ok(error.retryAtMs !== undefined && error.retryAtMs >= before + 29_001);
  assert.equal(explainFailure({ attempts: [failed("rate_limit")], partial: false }).retryAtMs, undefined);
});
