/** The real program behind its real server on a real socket, with two fake Ollamas as its providers. */
import { openAgent } from "../../src/app.ts";
import type { Agent } from "../../src/cli/agent.ts";
import { startServer } from "../../src/http/server.ts";
import { type FakeOllama, startFakeOllama } from "./fake_ollama.ts";
import { createFolder } from "./program.ts";

/** No test may ever find this in what the API shows. */
export const TOKEN = "token-never-to-be-shown-0123456789";

export interface Api extends AsyncDisposable {
  /** The provider `first`, which every role is assigned to. */
  readonly first: FakeOllama;
  /** The provider `second`, next in the chain. */
  readonly second: FakeOllama;
  readonly agent: Agent;
  readonly folder: string;
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  /** Sends JSON, or `init.body` as it is. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Stops the server as Ctrl-C does. */
  stop(graceMs?: number): Promise<void>;
}

export interface ApiOptions {
  readonly token?: string;
  readonly hostname?: string;
  readonly allowedHosts?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  /** May alter the models.json before it is written. */
  readonly change?: (models: ApiModels) => unknown;
  /** True: where the usage database should be there is a folder. */
  readonly withoutDatabase?: boolean;
}

export type ApiModels = ReturnType<typeof modelsFor>;

/** Starts it; `privacy_mode` is active, `cloudy` would ask Groq first. */
export async function startApi(options: ApiOptions = {}): Promise<Api> {
  const { change = (models) => models, token, hostname = "127.0.0.1", allowedHosts = [], allowedOrigins = [] } =
    options;
  const first = startFakeOllama({ models: [{ name: "llama3.2" }, { name: "embeddinggemma" }] });
  const second = startFakeOllama({ models: [{ name: "small" }] });
  first.setResident(["llama3.2"], 8192);
  second.setResident(["small"], 4096);
  const folder = await createFolder(change(modelsFor(first.origin, second.origin)));
  if (options.withoutDatabase) await Deno.mkdir(`${folder.path}/data/django.db`, { recursive: true });
  const agent = await openAgent({
    configDir: `${folder.path}/config`,
    configNamed: true,
    dataDir: `${folder.path}/data`,
    cloud: false,
    seal: { sealed: true, sandboxed: false },
    watch: true,
  });
  const server = await startServer({
    program: agent,
    version: "0.0.0-test",
    port: 0,
    hostname,
    token,
    allowedHosts,
    allowedOrigins,
  });
  let stopped: Promise<void> | undefined;
  const stop = (graceMs = 1000) => stopped ??= server.stop(graceMs);
  return {
    first,
    second,
    agent,
    folder: folder.path,
    origin: server.origin,
    send: (method, path, body, headers = {}) =>
      fetch(server.origin + path, {
        method,
        headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    stop,
    async [Symbol.asyncDispose]() {
      await stop(0);
      await agent[Symbol.asyncDispose]();
      await Promise.all([first.stop(), second.stop()]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** For `change`: models of these names see pictures. */
export function withVision(...names: readonly string[]): (models: ApiModels) => ApiModels {
  return (models) => {
    const changed = structuredClone(models);
    for (const provider of Object.values(changed.providers) as { models: Record<string, object> }[]) {
      for (const name of names) if (provider.models[name]) Object.assign(provider.models[name], { vision: true });
    }
    return changed;
  };
}

function modelsFor(first: string, second: string) {
  return {
    profile: "privacy_mode",
    providers: {
      first: {
        type: "ollama",
        base_url: first,
        max_concurrent: 16,
        models: {
          "llama3.2": { context: 8192, usd_per_million: { input: 1, output: 2 } },
          embeddinggemma: { context: 2048, embeddings: true },
        } as Record<string, unknown>,
      },
      second: { type: "ollama", base_url: second, models: { small: { context: 4096 } } },
      groq: { type: "groq", api_key_env: "GROQ_API_KEY", models: { "openai/gpt-oss-120b": { context: 131072 } } },
    } as Record<string, unknown>,
    fallback_chain: ["first/llama3.2", "second/small", "groq/openai/gpt-oss-120b"],
    assignments: { embeddings: "first/embeddinggemma" } as Record<string, string>,
    profiles: {
      privacy_mode: { local_only: true, fallback_chain: ["first/llama3.2", "second/small"] },
      small_first: { local_only: true, fallback_chain: ["second/small", "first/llama3.2"] },
      cloudy: { fallback_chain: ["groq/openai/gpt-oss-120b", "first/llama3.2"] },
    } as Record<string, unknown>,
    deadlines: { load_seconds: 5, first_token_seconds: 5, idle_seconds: 5, total_seconds: 20 },
  };
}
