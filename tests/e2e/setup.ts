/** The three fakes, a folder whose models.json names them, and the program run in it. */
import { startFakeGemini } from "../support/fake_gemini.ts";
import { startFakeGroq } from "../support/fake_groq.ts";
import { type FakeOllama, type FakeOllamaOptions, startFakeOllama } from "../support/fake_ollama.ts";
import type { FakeProvider } from "../support/fake_provider.ts";
import { createFolder, type Finished, type RunOptions, runProgram, startProgram } from "../support/program.ts";

export const KEYS = { GROQ_API_KEY: "gsk_test_SECRET_KEY", GEMINI_API_KEY: "AIza_test_SECRET_KEY" };

export interface World extends AsyncDisposable {
  readonly ollama: FakeOllama;
  readonly groq: FakeProvider;
  readonly gemini: FakeProvider;
  readonly folder: string;
  run(args: readonly string[], options?: Partial<RunOptions>): Promise<Finished>;
  start(args: readonly string[], options?: Partial<RunOptions>): ReturnType<typeof startProgram>;
}

/** `change` may alter the models.json before it is written. */
export async function createWorld(
  change: (models: ReturnType<typeof modelsFor>) => unknown = (models) => models,
  options: FakeOllamaOptions = {},
): Promise<World> {
  const ollama = startFakeOllama({ models: [{ name: "llama3.2" }, { name: "small" }], ...options });
  const groq = startFakeGroq();
  const gemini = startFakeGemini();
  const folder = await createFolder(change(modelsFor(ollama, groq, gemini)));
  return {
    ollama,
    groq,
    gemini,
    folder: folder.path,
    run: (args, more = {}) => runProgram(args, { folder: folder.path, env: KEYS, ...more }),
    start: (args, more = {}) => startProgram(args, { folder: folder.path, env: KEYS, ...more }),
    async [Symbol.asyncDispose]() {
      await Promise.all([ollama.stop(), groq.stop(), gemini.stop()]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Local first, then Groq, then Gemini. */
export function modelsFor(ollama: FakeProvider, groq: FakeProvider, gemini: FakeProvider) {
  return {
    profile: "privacy_mode",
    providers: {
      ollama: {
        type: "ollama",
        base_url: ollama.origin,
        models: { "llama3.2": { context: 8192 }, small: { context: 4096 } } as Record<string, unknown>,
      },
      groq: {
        type: "groq",
        base_url: groq.origin,
        api_key_env: "GROQ_API_KEY",
        models: { "openai/gpt-oss-120b": { context: 131072, usd_per_million: { input: 0.15, output: 0.6 } } },
      },
      gemini: {
        type: "gemini",
        base_url: gemini.origin,
        api_key_env: "GEMINI_API_KEY",
        models: { "gemini-3.5-flash-lite": { context: 1048576, usd_per_million: { input: 0.3, output: 2.5 } } },
      },
    },
    fallback_chain: ["ollama/llama3.2", "groq/openai/gpt-oss-120b", "gemini/gemini-3.5-flash-lite"],
    assignments: {} as Record<string, string>,
    profiles: {
      balanced: {} as Record<string, unknown>,
      privacy_mode: { local_only: true, fallback_chain: ["ollama/llama3.2", "ollama/small"] } as Record<
        string,
        unknown
      >,
    },
    deadlines: { load_seconds: 5, first_token_seconds: 2, idle_seconds: 1, total_seconds: 20 },
  };
}

/** For `createWorld`: a models.json with a model that makes vectors, and an Ollama that has it. */
export function withEmbeddings(models: ReturnType<typeof modelsFor>) {
  const { ollama } = models.providers;
  ollama.models["embeddinggemma"] = { context: 2048, embeddings: true };
  return { ...models, assignments: { embeddings: "ollama/embeddinggemma" } };
}

/** What an Ollama has that embeds too. */
export const EMBEDDING: FakeOllamaOptions = {
  models: [{ name: "llama3.2" }, { name: "embeddinggemma", capabilities: ["embedding"] }],
};
