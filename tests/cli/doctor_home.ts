/** A home for `doctor` to look at: a folder with its own configuration, and the real program over it. */
import { openAgent, openUsage } from "../../src/app.ts";
import { startBot } from "../../src/app_bot.ts";
import type { Finding } from "../../src/cli/doctor_finding.ts";
import { examine, type ExamineOptions } from "../../src/cli/doctor_examine.ts";
import { Session } from "../../src/cli/session.ts";

/** Tokens every model of the home is configured with. */
export const CONTEXT = 2048;

export interface Home {
  /** The text of models.json, or the object it is written from; by default that of `modelsOf`. */
  readonly models?: unknown;
  /** The text of `.env`. */
  readonly env?: string;
  readonly envMode?: number;
  readonly dataDir?: string;
  readonly cloud?: boolean;
}

/** A models.json whose only local provider, `home`, listens at `origin`. */
export function modelsOf(origin: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const context = CONTEXT;
  return {
    profile: "private",
    providers: {
      home: {
        type: "ollama",
        base_url: origin,
        models: {
          "llama3.2": { context },
          "qwen3.5:2b": { context, vision: true },
          "gpt-oss:20b-cloud": { context },
          "embeddinggemma": { context, embeddings: true },
        },
      },
      groq: { type: "groq", api_key_env: "GROQ_API_KEY_OF_DOCTOR", models: { "openai/gpt-oss-20b": { context } } },
      gemini: { type: "gemini", api_key_env: "GEMINI_API_KEY_OF_DOCTOR", models: { "flash": { context } } },
    },
    fallback_chain: ["home/llama3.2"],
    assignments: { embeddings: "home/embeddinggemma" },
    profiles: {
      private: { local_only: true, fallback_chain: ["home/llama3.2", "home/qwen3.5:2b"] },
      mixed: { fallback_chain: ["gemini/flash", "groq/openai/gpt-oss-20b", "home/llama3.2"] },
      remote: { fallback_chain: ["groq/openai/gpt-oss-20b"] },
      proxied: { fallback_chain: ["home/gpt-oss:20b-cloud"] },
    },
    ...changes,
  };
}

/** Runs `work` in a fresh folder that is the current one meanwhile: the program reads `.env` there. */
export async function inHome<T>(home: Home, work: (session: Session) => Promise<T>): Promise<T> {
  const before = Deno.cwd();
  const folder = await Deno.makeTempDir();
  try {
    Deno.chdir(folder);
    await Deno.mkdir("config");
    const { models, env, envMode = 0o600 } = home;
    if (models !== undefined) {
      await Deno.writeTextFile("config/models.json", typeof models === "string" ? models : JSON.stringify(models));
    }
    if (env !== undefined) {
      await Deno.writeTextFile(".env", env);
      await Deno.chmod(".env", envMode);
    }
    const options = {
      config: "config",
      configNamed: false,
      data: home.dataDir ?? "data",
      cloud: home.cloud ?? false,
      sandbox: false,
    };
    // What sealProcess() finds out about a process with all permissions, as a test has them.
    return await work(new Session({ openAgent, openUsage, startBot }, { sealed: false, sandboxed: false }, options));
  } finally {
    Deno.chdir(before);
    await Deno.remove(folder, { recursive: true });
  }
}

/** What `doctor` finds in a home, in its order. */
export async function diagnose(home: Home, options: Partial<ExamineOptions> = {}): Promise<Finding[]> {
  return await inHome(
    home,
    (session) => Array.fromAsync(examine(session, { deep: false, progress: () => {}, ...options })),
  );
}

/** The one finding of this name. */
export function find(findings: readonly Finding[], name: string): Finding {
  const found = findings.filter((finding) => finding.name === name);
  if (found.length === 1 && found[0]) return found[0];
  throw new Error(`${found.length} findings are called "${name}": ${findings.map((finding) => finding.name)}`);
}
