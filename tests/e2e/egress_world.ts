/**
 * A world in which everything tempts the program to talk to somebody else, and in which it would get an answer. For
 * scripts in a network of their own (`IN_OWN_NETWORK`).
 */
import project from "../../deno.json" with { type: "json" };
import { startFakeDns } from "../support/fake_dns.ts";
import { startFakeGemini } from "../support/fake_gemini.ts";
import { startFakeGroq } from "../support/fake_groq.ts";
import { type FakeOllama, startFakeOllama } from "../support/fake_ollama.ts";
import type { FakeProvider } from "../support/fake_provider.ts";
import { countPacketsOut, ELSEWHERE, NAME_SERVER } from "../support/network.ts";
import {
  createFolder,
  type Finished,
  type RunOptions,
  sourceCommand,
  startProgram,
  writeModels,
} from "../support/program.ts";
import { type Contact, readContacts, traced } from "../support/strace.ts";
import { createCertificate, startTlsFront } from "../support/tls_front.ts";

/** What the two clouds are called, and where they are in this world. */
export const CLOUDS = { "api.groq.com": ELSEWHERE[0], "generativelanguage.googleapis.com": ELSEWHERE[1] } as const;

/** Where every other name is said to be: beyond the way out. */
const NOWHERE = "192.0.2.99";

export interface EgressWorld extends AsyncDisposable {
  readonly ollama: FakeOllama;
  /** An Ollama that sends everybody to a cloud, whatever is asked. */
  readonly bent: FakeOllama;
  /** One that does so only when it is to answer: to an address without a name. */
  readonly bentLate: FakeOllama;
  readonly groq: FakeProvider;
  readonly gemini: FakeProvider;
  /** Starts the program, watched. */
  start(args: readonly string[], options?: Partial<Omit<RunOptions, "command">>): ReturnType<typeof startProgram>;
  run(args: readonly string[], options?: Partial<Omit<RunOptions, "command">>): Promise<Finished>;
  write(models: object): Promise<void>;
  /** What everything that was started here did; once it has ended. */
  look(): Promise<Egress>;
}

/** What left a program. */
export interface Egress {
  readonly contacts: readonly Contact[];
  /** What the name server was asked. */
  readonly questions: readonly string[];
  /** Packets that left the machine. */
  readonly packets: number;
}

export interface WorldOptions {
  /** The words that start the program in a folder, before its arguments; default: from source. */
  readonly command?: ((folder: string) => readonly string[]) | undefined;
  /** What the environment holds besides the keys. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function createEgressWorld(
  { command = sourceCommand, env = {} }: WorldOptions = {},
): Promise<EgressWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createFolder());
  const traces = stack.use(await createFolder());
  const dns = stack.use(await startFakeDns(NAME_SERVER, CLOUDS, NOWHERE));
  const ollama = stack.use(startFakeOllama({ models: MODELS, resident: ["llama3.2"] }));
  const [bent, bentLate] = [stack.use(startFakeOllama()), stack.use(startFakeOllama())];
  const [groq, gemini] = [stack.use(startFakeGroq()), stack.use(startFakeGemini())];
  const certificate = await createCertificate(traces.path, Object.keys(CLOUDS));
  stack.use(await startTlsFront(CLOUDS["api.groq.com"], groq.port, certificate));
  stack.use(await startTlsFront(CLOUDS["generativelanguage.googleapis.com"], gemini.port, certificate));
  bentLate.always({ kind: "redirect", to: "http://192.0.2.7/api/chat" });
  for (const path of CONTROLS) bent.on(path, { kind: "redirect", to: "https://api.groq.com/openai/v1/models" });
  const given = { ...KEYS, ...TELEMETRY, DENO_CERT: certificate.path, ...env, ...switchesOfTasks() };
  const files: string[] = [];
  const start: EgressWorld["start"] = (args, options = {}) => {
    files.push(`${traces.path}/${files.length}.trace`);
    const watched = [...traced(files.at(-1) ?? ""), ...command(folder.path)];
    return startProgram(args, { folder: folder.path, env: given, ...options, command: watched });
  };
  const rest = stack.move();
  return {
    ollama,
    bent,
    bentLate,
    groq,
    gemini,
    start,
    run: (args, options) => start(args, options).finished,
    write: (models) => writeModels(folder.path, models),
    async look() {
      const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
      return { contacts: texts.flatMap(readContacts), questions: dns.questions, packets: await countPacketsOut() };
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

const KEYS = { GROQ_API_KEY: "gsk_test_SECRET_KEY", GEMINI_API_KEY: "AIza_test_SECRET_KEY" };

/** Whoever has this in the environment has every program of Deno's report to somebody. */
const TELEMETRY = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://telemetry.example:4318" };

/** What the tasks set before they start the program. In a binary the same is built in (`tests/compile_test.ts`). */
function switchesOfTasks(): Record<string, string> {
  const [words = ""] = project.tasks.start.command.split(" deno run ");
  return Object.fromEntries(words.split(" ").map((word) => word.split("=", 2)));
}

const MODELS = [
  { name: "llama3.2" },
  { name: "embeddinggemma", capabilities: ["embedding"] },
  { name: "innocent", remote_host: "https://ollama.com:443", remote_model: "gpt-oss:120b" },
  { name: "gpt-oss:120b-cloud" },
  { name: "kimi-k2:cloud" },
];

/** What an Ollama is asked before it is asked to answer. */
const CONTROLS = ["/", "/api/version", "/api/tags", "/api/ps", "/api/show", "/api/embed"];

const CONTEXT = { context: 8192 };

type Ollamas = Readonly<Record<"ollama" | "bent" | "bentLate", { readonly origin: string }>>;

/** A models.json that asks everybody before the one that may answer. */
export function temptingModels({ ollama, bent, bentLate }: Ollamas) {
  const asked = (base_url: string) => ({ type: "ollama", base_url, models: { "llama3.2": CONTEXT } });
  const remote = { innocent: CONTEXT, "gpt-oss:120b-cloud": CONTEXT, "kimi-k2:cloud": CONTEXT };
  return {
    profile: "balanced",
    providers: {
      ollama: {
        type: "ollama",
        base_url: ollama.origin,
        models: { "llama3.2": CONTEXT, embeddinggemma: { context: 2048, embeddings: true }, ...remote },
      },
      bent: asked(bent.origin),
      bent_late: asked(bentLate.origin),
      by_localhost: asked(ollama.origin.replace("127.0.0.1", "localhost")),
      by_address: asked("http://192.168.7.7:11434"),
      by_name: asked("http://nas.local:11434"),
      by_bare_name: asked("http://nas:11434"),
      groq: { type: "groq", api_key_env: "GROQ_API_KEY", models: { "openai/gpt-oss-120b": CONTEXT } },
      gemini: { type: "gemini", api_key_env: "GEMINI_API_KEY", models: { "gemini-3.5-flash-lite": CONTEXT } },
      // A third host, which gets the key of another if nobody keeps it from doing so.
      evil: { type: "groq", base_url: "https://evil.example", api_key_env: "GROQ_API_KEY", models: { m: CONTEXT } },
    },
    fallback_chain: [
      ...["gemini/gemini-3.5-flash-lite", "groq/openai/gpt-oss-120b", "evil/m", "bent/llama3.2", "bent_late/llama3.2"],
      ...["by_address/llama3.2", "by_name/llama3.2", "by_bare_name/llama3.2"],
      ...Object.keys(remote).map((model) => `ollama/${model}`),
      "ollama/llama3.2",
    ],
    assignments: { "technical": "groq/openai/gpt-oss-120b", "embeddings": "ollama/embeddinggemma" },
    profiles: {
      balanced: {},
      max_quality: { assignments: { "*": "gemini/gemini-3.5-flash-lite" } },
      privacy_mode: {
        local_only: true,
        fallback_chain: ["bent/llama3.2", "bent_late/llama3.2", "by_name/llama3.2", "ollama/llama3.2"],
        assignments: { "*": "ollama/llama3.2" },
      },
    },
    chat: { searxng_url: "https://search.example" },
    deadlines: { load_seconds: 60, first_token_seconds: 60, idle_seconds: 60, total_seconds: 120 },
  };
}
