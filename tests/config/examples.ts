import assert from "node:assert/strict";
import { parseConfig } from "../../src/config/load.ts";
import { ConfigError, type ConfigProblem } from "../../src/core/errors.ts";

type Json = Record<string, unknown>;

/** Entries that are there for sure, and room for others. */
type Known<Names extends string, Entry> = Record<Names, Entry> & Record<string, Entry>;

interface ProviderExample<Models extends string = never> extends Json {
  type: unknown;
  models: Known<Models, Json>;
}

interface ProfileExample extends Json {
  local_only?: boolean;
  fallback_chain?: string[];
  assignments?: Record<string, string>;
}

export interface Example extends Json {
  profile: unknown;
  providers: Record<string, ProviderExample> & {
    home: ProviderExample<"big" | "small" | "vectors">;
    groq: ProviderExample<"openai/oss">;
  };
  fallback_chain: unknown[];
  assignments: Record<string, unknown>;
  profiles: Record<string, ProfileExample> & {
    mixed: ProfileExample;
    local: Required<Pick<ProfileExample, "assignments">> & ProfileExample;
  };
}

/** A small configuration that is valid, free to be spoilt by a test. */
export function validExample(): Example {
  return {
    profile: "local",
    providers: {
      home: {
        type: "ollama",
        base_url: "http://127.0.0.1:11434",
        models: {
          big: { context: 8192 },
          small: { context: 4096 },
          vectors: { context: 2048, embeddings: true },
        },
      },
      groq: {
        type: "groq",
        api_key_env: "GROQ_API_KEY",
        models: { "openai/oss": { context: 131072, usd_per_million: { input: 0.15, output: 0.6 } } },
      },
    },
    fallback_chain: ["home/big", "home/small"],
    assignments: { technical: "groq/openai/oss", embeddings: "home/vectors" },
    profiles: {
      mixed: {},
      local: { local_only: true, assignments: { "*": "home/small" } },
    },
  };
}

/** What is said about the valid example after `spoil` has changed it. */
export function problemsAfter(spoil: (example: Example) => void): readonly ConfigProblem[] {
  const example = validExample();
  spoil(example);
  return problemsIn(JSON.stringify(example));
}

/** What is said about a text that must not load. */
export function problemsIn(text: string): readonly ConfigProblem[] {
  try {
    parseConfig(text, "models.json");
  } catch (error) {
    assert(error instanceof ConfigError);
    assert.equal(error.exitCode, 78);
    return error.problems;
  }
  throw new assert.AssertionError({ message: "This text should not have loaded" });
}

/** Asserts on one problem with this path, and that its message and remedy say what they must. */
export function assertProblem(
  problems: readonly ConfigProblem[],
  path: string,
  message: RegExp,
  remedy: RegExp,
): void {
  const problem = problems.find((one) => one.path === path);
  assert(problem, `no problem at ${JSON.stringify(path)} in ${JSON.stringify(problems, null, 1)}`);
  assert.match(problem.message, message);
  assert.match(problem.remedy, remedy);
}

/** The one problem after `spoil`; no more may be found. */
export function assertOnlyProblem(
  spoil: (example: Example) => void,
  path: string,
  message: RegExp,
  remedy: RegExp,
): void {
  const problems = problemsAfter(spoil);
  assertProblem(problems, path, message, remedy);
  assert.equal(problems.length, 1, JSON.stringify(problems, null, 1));
}

/** Runs `work` in a new folder that is removed afterwards. */
export async function inNewFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "config_test_" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

/** The error a promise must be rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => assert.fail("This should have failed"),
    (error: unknown) => error,
  );
}

/** True when git knows the file and finds it as it was checked out. */
export async function isUntouched(path: string): Promise<boolean> {
  const options = { args: ["diff", "--quiet", "HEAD", "--", path], cwd: new URL("../../", import.meta.url) };
  try {
    return (await new Deno.Command("git", options).output()).code === 0;
  } catch {
    return false; // no git here
  }
}
