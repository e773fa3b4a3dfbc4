import assert from "node:assert/strict";
import {
  AgentError,
  ConfigError,
  describeFault,
  EXIT,
  type ExitCode,
  exitCodeOf,
  NoAnswerError,
  ProviderError,
} from "../../src/core/errors.ts";
import type { Attempt, ErrorKind } from "../../src/core/types.ts";

/** What a script sees of each kind; a kind that is missing here does not compile. */
const CODES: Readonly<Record<ErrorKind, ExitCode>> = {
  unavailable: 69,
  model_not_found: 69,
  protocol: 69,
  timeout: 75,
  rate_limit: 75,
  auth: 77,
  egress_denied: 77,
  context_length: 65,
  bad_request: 65,
  content_filter: 65,
  aborted: 130,
};
const KINDS = Object.keys(CODES) as ErrorKind[];

Deno.test("exitCodeOf() gives every kind of failure its code", () => {
  assert.deepEqual(Object.fromEntries(KINDS.map((kind) => [kind, exitCodeOf(kind)])), CODES);
});

Deno.test("NoAnswerError takes its exit code from its kind and carries every attempt", () => {
  const attempts: Attempt[] = [{ provider: "groq", model: "m", outcome: "failed", error_kind: "timeout", ms: 3 }];
  const cause = new Error("below");
  for (const kind of KINDS) {
    const error = new NoAnswerError("No model could answer", { kind, attempts, retryAtMs: 7, cause });
    assert.ok(error instanceof AgentError);
    assert.deepEqual([error.exitCode, error.kind, error.retryAtMs], [CODES[kind], kind, 7]);
    assert.deepEqual([error.attempts, error.cause, error.remedy], [attempts, cause, undefined]);
  }
});

Deno.test("ConfigError lists every problem with its place and its remedy", () => {
  const problems = [
    { path: "", message: "It is empty", remedy: "Fill it." },
    { path: "profiles.x", message: "It is unknown", remedy: "Remove it." },
  ];
  const error = new ConfigError("config/models.json", problems);
  assert.equal(
    error.message,
    "Cannot use config/models.json:\n  It is empty → Fill it.\n  profiles.x: It is unknown → Remove it.",
  );
  assert.deepEqual([error.exitCode, error.file, error.problems], [EXIT.config, "config/models.json", problems]);
});

Deno.test("ProviderError carries what decides over the call, and no more than it was given", () => {
  const cause = new Error("below");
  const full = new ProviderError("timeout", "It took too long", {
    provider: "ollama",
    model: "llama3.2",
    status: 503,
    retryAtMs: 9,
    remedy: "Wait.",
    whileLoading: true,
    cause,
  });
  const { kind, provider, model, status, retryAtMs, remedy, whileLoading } = full;
  assert.deepEqual({ kind, provider, model, status, retryAtMs, remedy, whileLoading, cause: full.cause }, {
    kind: "timeout",
    provider: "ollama",
    model: "llama3.2",
    status: 503,
    retryAtMs: 9,
    remedy: "Wait.",
    whileLoading: true,
    cause,
  });
  const bare = new ProviderError("auth", "No", { provider: "groq" });
  assert.deepEqual([bare.whileLoading, bare.model, bare.retryAtMs, "cause" in bare], [
    false,
    undefined,
    undefined,
    false,
  ]);
});

Deno.test("errors are told apart by name, and by nothing they say", () => {
  const errors = [
    new AgentError("", { exitCode: EXIT.usage }),
    new ConfigError("", []),
    new ProviderError("auth", "", { provider: "groq" }),
    new NoAnswerError("", { kind: "auth", attempts: [] }),
  ];
  assert.deepEqual(errors.map(({ name }) => name), ["AgentError", "ConfigError", "ProviderError", "NoAnswerError"]);
});

Deno.test("ConfigError shows the first problems and how many there are besides", () => {
  const problems = Array.from(
    { length: 25 },
    (_, n) => ({ path: `p${n}`, message: "It is wrong", remedy: "Mend it." }),
  );
  const error = new ConfigError("models.json", problems);
  assert.equal(error.problems.length, 25);
  assert.equal(error.message.split("\n").length, 22);
  assert.match(error.message, /… and 5 more$/);
});

Deno.test("describeFault() names the place of an error and none of its words, whatever these look like", () => {
  const words = ["SECRET", "SECRET\n    at SECRET (file:///secret.ts:1:1)", ""];
  for (const word of words) {
    const text = describeFault(new RangeError(word));
    assert.match(text, /^RangeError at .*errors_test\.ts:\d+/);
    assert.ok(!/secret/i.test(text), text);
  }
  assert.equal(describeFault("SECRET"), "string");
  const moved = new TypeError("SECRET");
  moved.stack = "";
  assert.equal(describeFault(moved), "TypeError");
});
