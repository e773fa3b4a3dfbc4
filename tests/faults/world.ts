/** The program over a provider that breaks and one that takes over, with its API on a real socket. */
import { openAgent } from "../../src/app.ts";
import type { Agent } from "../../src/cli/agent.ts";
import { startServer } from "../../src/http/server.ts";
import { DEFAULT_TOKENS } from "../support/fake_behaviour.ts";
import { startFakeGemini } from "../support/fake_gemini.ts";
import { startFakeGroq } from "../support/fake_groq.ts";
import { startFakeOllama } from "../support/fake_ollama.ts";
import type { FakeProvider } from "../support/fake_provider.ts";
import { createFolder } from "../support/program.ts";
// Loaded here, so that no deadline of a scenario pays for it.
import "@google/genai/web";
import "groq-sdk";
import "ollama/browser";
import type { Fakes, Limits, ProtocolName, Timings } from "./scenario.ts";

/** What each of the two says, and how it counts it: an answer that mixes them is found out. */
export const ANSWERS = {
  primary: { tokens: DEFAULT_TOKENS, usage: { input: 1100, output: 11 } },
  fallback: { tokens: ["Aquí", ", la", " reserva", "."], usage: { input: 2200, output: 22 } },
} as const;
/** No caller may ever find this in what it gets. */
export const API_KEY = "key-never-to-be-shown-0123456789";
export const USD_PER_MILLION = { input: 1, output: 2 };

/** Tokens. The fallback's is larger: it can take over what is too long for the primary. */
const PRIMARY_CONTEXT = 8192;
const FALLBACK_CONTEXT = 131_072;

const MODELS: Readonly<Record<ProtocolName, string>> = {
  ollama: "llama3.2",
  groq: "openai/gpt-oss-120b",
  gemini: "gemini-3.5-flash-lite",
};
/** Who takes over from whom: somebody of another kind, so that the request has to be written anew. */
const TAKES_OVER: Readonly<Record<ProtocolName, ProtocolName>> = { ollama: "groq", groq: "gemini", gemini: "ollama" };
const START: Readonly<Record<ProtocolName, () => FakeProvider>> = {
  ollama: () => {
    const ollama = startFakeOllama();
    ollama.setResident([MODELS.ollama], PRIMARY_CONTEXT); // as asked for, so that it need not load it again
    return ollama;
  },
  groq: startFakeGroq,
  gemini: startFakeGemini,
};

export interface FaultWorld extends Fakes, AsyncDisposable {
  readonly agent: Agent;
  /** Of its API. */
  readonly origin: string;
}

export interface WorldOptions {
  readonly protocol: ProtocolName;
  readonly timings: Timings;
  readonly primaryLimits: Limits;
  /** Default: an ordinary one. */
  readonly model?: string | undefined;
  /** Without `--cloud`; the fallback is a second Ollama. */
  readonly sealed?: boolean | undefined;
}

/** The keys in the environment, for as long as a run takes. */
export function provideKeys(): Disposable {
  const names = ["GROQ_API_KEY", "GEMINI_API_KEY"];
  const before = names.map((name): [string, string | undefined] => [name, Deno.env.get(name)]);
  for (const name of names) Deno.env.set(name, API_KEY);
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    },
  };
}

/** Starts all of it; needs the keys. */
export async function startWorld(options: WorldOptions): Promise<FaultWorld> {
  const { protocol, sealed = false } = options;
  await using started = new AsyncDisposableStack();
  const primary = started.use(START[protocol]());
  const fallback = started.use(START[sealed ? "ollama" : TAKES_OVER[protocol]]());
  primary.always({ kind: "answer", ...ANSWERS.primary });
  fallback.always({ kind: "answer", ...ANSWERS.fallback });
  const folder = started.use(await createFolder(modelsFor(options, { primary, fallback })));
  const agent = started.use(
    await openAgent({
      configDir: `${folder.path}/config`,
      configNamed: true,
      dataDir: `${folder.path}/data`,
      cloud: !sealed,
      seal: { sealed, sandboxed: false },
    }),
  );
  const server = await startServer({
    program: agent,
    version: "0.0.0-test",
    port: 0,
    hostname: "127.0.0.1",
    token: undefined,
    allowedHosts: [],
    allowedOrigins: [],
  });
  started.defer(() => server.stop(0));
  const running = started.move();
  return { primary, fallback, agent, origin: server.origin, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function modelsFor({ protocol, model, timings, primaryLimits }: WorldOptions, fakes: Fakes): object {
  const provider = ({ protocol: type, origin }: FakeProvider, name: string, context: number) => ({
    type,
    base_url: origin,
    models: { [name]: { context, ...(type !== "ollama" && { usd_per_million: USD_PER_MILLION }) } },
    ...(type !== "ollama" && { api_key_env: type === "groq" ? "GROQ_API_KEY" : "GEMINI_API_KEY" }),
  });
  const first = model ?? MODELS[protocol];
  const second = MODELS[fakes.fallback.protocol];
  return {
    profile: "faults",
    providers: {
      primary: { ...provider(fakes.primary, first, PRIMARY_CONTEXT), deadlines: primaryLimits },
      fallback: provider(fakes.fallback, second, FALLBACK_CONTEXT),
    },
    fallback_chain: [`primary/${first}`, `fallback/${second}`],
    profiles: { faults: {} },
    deadlines: { ...timings.limits, total_seconds: timings.totalSeconds },
  };
}
