import { Pipeline } from "../../src/chat/pipeline.ts";
import { WebSearch } from "../../src/chat/web_search.ts";
import { PromptFiles } from "../../src/config/prompts.ts";
import { modelsSchema } from "../../src/config/schema.ts";
import { createEventBus } from "../../src/core/events.ts";
import { percentile } from "../../src/core/percentile.ts";
import { createLocalApi } from "../../src/http/local_api.ts";
import { codeOf } from "../../src/memory/code_index.ts";
import { Memory } from "../../src/memory/memory.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { MemoryTable } from "../../src/storage/memory_table.ts";
import { createRandom } from "../support/random.ts";
import { median } from "../support/statistics.ts";
import { createLibrary, type Library } from "./library.ts";
import { type Figure, spreadOf } from "./measure.ts";
import { programCommand } from "./program.ts";
import { createRouter } from "./router_bench.ts";
import { measureScaling } from "./scaling.ts";

const DIMENSIONS = 768;
const MODEL = "fast/vectors";
/** Words of a passage: sections of notes and manuals are about as long. */
const WORDS = 120;
const SIZES = [1000, 10_000, 100_000] as const;
/** So many times are all sizes asked, one after the other, and so many questions each. */
const ROUNDS = 5;
const QUESTIONS = 40;

/** Figures of memory and chat: everything but the model, whose answer is here at once. */
export async function benchMemory(): Promise<Figure[]> {
  const folder = await Deno.makeTempDir();
  try {
    return [...await benchChat(folder), await benchLearn(folder)];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A program that has learned something, and the time it has taken. */
interface Learned extends Disposable {
  /** Loads the codes of all vectors. */
  readonly firstMs: number;
  readonly vectorMb: number;
  /** Asks so many questions; milliseconds of each over the API, and of the router alone with the same words. */
  ask(questions: number): Promise<{ readonly chat: number[]; readonly router: number[] }>;
}

async function benchChat(folder: string): Promise<Figure[]> {
  using worlds = new DisposableStack();
  const learned = new Map<number, Learned>();
  for (const passages of SIZES) learned.set(passages, worlds.use(await learn(folder, passages)));
  const asked = new Map<number, { chat: number[]; router: number[] }>(
    SIZES.map((passages) => [passages, { chat: [], router: [] }]),
  );
  const growth = await measureScaling({
    what: "a chat message with 1,000 → 10,000 → 100,000 passages",
    sizes: SIZES,
    costOf: "each",
    mostTimes: 1, // a passage costs less the more there are
    rounds: ROUNDS,
    async measure(passages) {
      const times = await learned.get(passages)?.ask(QUESTIONS);
      for (const name of ["chat", "router"] as const) asked.get(passages)?.[name].push(...times?.[name] ?? []);
      return median(times?.chat ?? []);
    },
  });
  const figures = ([[10_000, 5], [100_000, 40]] as const).flatMap(([passages, atMostMs]) => {
    const { chat = [], router = [] } = asked.get(passages) ?? {};
    const counted = { chat: chat.slice(QUESTIONS), router: router.slice(QUESTIONS) }; // without the first round
    return figuresOf(passages, atMostMs, counted, learned.get(passages));
  });
  return [...figures, growth];
}

function figuresOf(
  passages: number,
  atMostMs: number,
  times: { readonly chat: readonly number[]; readonly router: readonly number[] },
  { firstMs = NaN, vectorMb = NaN }: Partial<Learned> = {},
): Figure[] {
  const p95 = percentile(times.chat.toSorted((one, other) => one - other), 0.95) ?? NaN;
  const count = passages.toLocaleString("en");
  return [
    {
      what: `chat without the model, ${count} passages`,
      value: median(times.chat),
      unit: "ms",
      bound: { kind: "at most", value: atMostMs },
      direct: median(times.router),
      spread: spreadOf(times.chat),
      note:
        `POST /api/chat without a socket, direct is the router alone; p95 ${
          p95.toFixed(1)
        } ms of ${times.chat.length}; ` +
        `the first one, which loads the vectors' codes, ${firstMs.toFixed(0)} ms`,
    },
    {
      what: `vectors in memory, ${count} of ${DIMENSIONS} dimensions`,
      value: vectorMb,
      unit: "MB",
      bound: { kind: "at most", value: 60 },
    },
  ];
}

async function learn(folder: string, passages: number): Promise<Learned> {
  const library = createLibrary(DIMENSIONS);
  const path = `${folder}/${passages}.db`;
  const store = new MemoryTable({ path, busyTimeoutMs: 0, onSetAside: console.error });
  const texts = fill(store, library, passages);
  const random = createRandom(7);
  let topic = 0;
  const provider = instantProvider(() => [...library.vector(topic)]);
  const memory = createMemory(store, provider);
  const { say, callRouter } = createChat(memory, provider);
  const firstMs = await timeOf(() => say("¿cómo empieza esto?", 0));
  let question = 0;
  return {
    firstMs,
    vectorMb: memory.vectorBytes / 1e6,
    async ask(questions) {
      const times = { chat: [] as number[], router: [] as number[] };
      for (let count = 0; count < questions; count++) {
        topic = Math.floor(random() * library.topics);
        const words = (texts[Math.floor(random() * texts.length)] ?? "").split(" ");
        const message = `¿Qué hay de ${[0, 1, 2, 3].map(() => words[Math.floor(random() * words.length)]).join(" ")}?`;
        times.chat.push(await timeOf(() => say(message, ++question)));
        times.router.push(await timeOf(() => callRouter(message)));
      }
      return times;
    },
    [Symbol.dispose]: () => memory[Symbol.dispose](),
  };
}

/** Gives some of the texts that were put in: all of them would fill the heap, which the program's own does not. */
function fill(store: MemoryTable, library: Library, passages: number): string[] {
  const source = store.beginSource("bench.md");
  const modelId = store.vectors.modelId(MODEL, DIMENSIONS);
  let texts: string[] = [];
  for (let from = 0; from < passages; from += 1000) {
    texts = Array.from({ length: 1000 }, () => library.text(WORDS));
    const batch = texts.map((text, at) => ({ heading: "", text, hash: `${from + at}` }));
    const ids = store.addPassages(source, batch, Date.now());
    store.vectors.put(
      modelId,
      ids.map((memory_id) => {
        const vector = library.vector(memory_id);
        return { memory_id, vector, code: codeOf(vector) };
      }),
    );
  }
  return texts;
}

/** Answers at once, in this process. */
function instantProvider(vector: () => number[]): Provider {
  const usage = {
    input: 900,
    cached_input: 0,
    output: 6,
    reasoning: 0,
    total: 906,
    source: "provider",
    raw: null,
  } as const;
  return {
    id: "fast",
    type: "ollama",
    origin: "http://127.0.0.1:1",
    local: true,
    async *chat() {
      yield { type: "text", text: "Según mis notas, así es." };
      yield await Promise.resolve({ type: "final", finish_reason: "stop", usage } as const);
    },
    embed: ({ texts }) => Promise.resolve({ vectors: texts.map(vector), usage }),
    listModels: () => Promise.resolve([]),
    health: () => Promise.resolve({ version: null, cloudDisabled: null }),
  };
}

function createMemory(store: MemoryTable, provider: Provider): Memory {
  return new Memory({
    path: store.path,
    openStore: () => store,
    embedder: {
      model: MODEL,
      embed: async (texts, { signal }) => {
        const call = { model: "vectors", contextTokens: 2048, texts, deadlines: DEADLINES, localOnly: true };
        return (await provider.embed?.(call, signal))?.vectors ?? [];
      },
    },
    warn: console.error,
  });
}

const DEADLINES = { loadMs: 60_000, firstTokenMs: 60_000, idleMs: 60_000 };

interface Chat {
  /** Says something over the HTTP API. */
  say(message: string, question: number): Promise<void>;
  /** Asks the model the same, past everything that makes a conversation. */
  callRouter(message: string): Promise<void>;
}

/** The chat of a program that is all there but for its model. */
function createChat(memory: Memory, provider: Provider): Chat {
  const events = createEventBus({ onListenerError: console.error });
  const router = createRouter({ fast: provider }, ["fast/bench"]);
  const warn = console.error;
  const traffic = { sent() {}, received() {} };
  const settings = () => modelsSchema.shape.chat.parse({});
  const web = new WebSearch({
    baseUrl: () => undefined,
    senderOf: () => {
      throw new Error("There is no web here");
    },
    reach: () => "machine",
    traffic,
    warn,
  });
  const prompts = new PromptFiles({ dir: "./nowhere", warn });
  const chat = new Pipeline({ router, memory, prompts, web, events, settings });
  const api = createLocalApi({ chat, memory, router, events, seal: { sealed: true, sandboxed: false } });
  const say = async (message: string, question: number) => {
    const body = JSON.stringify({ message, conversation_id: `c${Math.floor(question / 10)}` });
    const headers = { "content-type": "application/json" };
    const response = await api(new Request("http://localhost/api/chat", { method: "POST", headers, body }));
    const { content, knowledge_sources } = await response.json();
    if (content !== "Según mis notas, así es." || !knowledge_sources.some(isLearned)) {
      throw new Error(`status ${response.status}: the answer drew on nothing that was learned`);
    }
  };
  return { say, callRouter: async (prompt) => void await router.generate({ prompt }) };
}

function isLearned({ kind }: { readonly kind: string }): boolean {
  return kind === "learned_knowledge";
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** The whole program, from its start to its end. */
async function benchLearn(folder: string): Promise<Figure> {
  const library = createLibrary(8, createRandom(3));
  const notes = `${folder}/notes`;
  await Deno.mkdir(notes);
  let bytes = 0;
  for (let file = 0; bytes < 10_000_000; file++) {
    const text = Array.from({ length: 20 }, (_, at) => `## Section ${at}\n\n${library.text(700)}\n\n`).join("");
    await Deno.writeTextFile(`${notes}/${file}.md`, text);
    bytes += text.length;
  }
  const startedAt = performance.now();
  const args = ["--data", `${folder}/data`, "learn", "--no-vectors", notes];
  const { code, stderr } = await programCommand(args, { folder }).output();
  if (code !== 0) throw new Error(`learn ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  return {
    what: "learn 10 MB of Markdown without vectors",
    value: (performance.now() - startedAt) / 1000,
    unit: "s",
    bound: { kind: "at most", value: 10 },
    note: `the whole process; ${(bytes / 1e6).toFixed(1)} MB in ${Array.from(Deno.readDirSync(notes)).length} files`,
  };
}
