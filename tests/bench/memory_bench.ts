import { Pipeline } from "../../src/chat/pipeline.ts";
import { WebSearch } from "../../src/chat/web_search.ts";
import { PromptFiles } from "../../src/config/prompts.ts";
import { modelsSchema } from "../../src/config/schema.ts";
import { createEventBus } from "../../src/core/events.ts";
import { createLocalApi } from "../../src/http/local_api.ts";
import { codeOf } from "../../src/memory/code_index.ts";
import { Memory } from "../../src/memory/memory.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { MemoryTable } from "../../src/storage/memory_table.ts";
import { createLibrary, createRandom, type Library } from "./library.ts";
import { type Figure, median } from "./measure.ts";
import { programCommand } from "./program.ts";
import { createRouter } from "./router_bench.ts";

const DIMENSIONS = 768;
const MODEL = "fast/vectors";
/** Words of a passage: sections of notes and manuals are about as long. */
const WORDS = 120;
const QUESTIONS = 200;

/** Figures of memory and chat: everything but the model, whose answer is here at once. */
export async function benchMemory(): Promise<Figure[]> {
  const folder = await Deno.makeTempDir();
  try {
    return [
      ...await benchChat(folder, 10_000, 5),
      ...await benchChat(folder, 100_000, 40),
      await benchLearn(folder),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function benchChat(folder: string, passages: number, atMostMs: number): Promise<Figure[]> {
  const library = createLibrary(DIMENSIONS);
  const path = `${folder}/${passages}.db`;
  const store = new MemoryTable({ path, busyTimeoutMs: 0, onSetAside: console.error });
  const texts = fill(store, library, passages);
  const random = createRandom(7);
  let topic = 0;
  const provider = instantProvider(() => [...library.vector(topic)]);
  using memory = createMemory(store, provider);
  const say = createSay(memory, provider);
  const times: number[] = [];
  const firstMs = await timeOf(() => say("¿cómo empieza esto?", 0)); // loads the codes of all vectors
  const vectorMb = memory.vectorBytes / 1e6;
  for (let question = -QUESTIONS / 4; question < QUESTIONS; question++) {
    topic = Math.floor(random() * library.topics);
    const words = (texts[Math.floor(random() * texts.length)] ?? "").split(" ");
    const message = `¿Qué hay de ${[0, 1, 2, 3].map(() => words[Math.floor(random() * words.length)]).join(" ")}?`;
    const ms = await timeOf(() => say(message, question));
    if (question >= 0) times.push(ms);
  }
  const sorted = times.toSorted((one, other) => one - other);
  const count = passages.toLocaleString("en");
  return [
    {
      what: `chat without the model, ${count} passages`,
      value: median(times),
      unit: "ms",
      bound: { kind: "at most", value: atMostMs },
      note:
        `POST /api/chat without a socket; p95 ${
          sorted[Math.floor(QUESTIONS * 0.95)]?.toFixed(1)
        } ms of ${QUESTIONS}; ` +
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

/** Gives the texts that were put in. */
function fill(store: MemoryTable, library: Library, passages: number): string[] {
  const source = store.beginSource("bench.md");
  const modelId = store.vectors.modelId(MODEL, DIMENSIONS);
  const texts = Array.from({ length: passages }, () => library.text(WORDS));
  for (let from = 0; from < passages; from += 1000) {
    const batch = texts.slice(from, from + 1000).map((text, at) => ({ heading: "", text, hash: `${from + at}` }));
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

/** Says something over the HTTP API of a program that is all there but for its model. */
function createSay(memory: Memory, provider: Provider): (message: string, conversation: number) => Promise<void> {
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
  return async (message, conversation) => {
    const body = JSON.stringify({ message, conversation_id: `c${Math.floor(conversation / 10)}` });
    const headers = { "content-type": "application/json" };
    const response = await api(new Request("http://localhost/api/chat", { method: "POST", headers, body }));
    const { content, knowledge_sources } = await response.json();
    if (content !== "Según mis notas, así es." || !knowledge_sources.some(isLearned)) {
      throw new Error(`status ${response.status}: the answer drew on nothing that was learned`);
    }
  };
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
