/** A memory over a database in a folder of its own, and exchanges with it. */
import assert from "node:assert/strict";
import { Memory } from "../../src/memory/memory.ts";
import type { WorkingMessage } from "../../src/memory/working.ts";
import { createMemoryFolder, openMemoryTable } from "./memory_store.ts";
import { TrigramEmbedder } from "./trigram_embedder.ts";

export interface Mind extends AsyncDisposable {
  readonly memory: Memory;
  readonly embedder: TrigramEmbedder;
  /** As `message → remedy`. */
  readonly warnings: readonly string[];
  readonly database: string;
  /** How often the database was opened, or tried to be. */
  readonly opens: number;
  /** Another memory over the same database, as another process has it. */
  other(): Memory & Disposable;
}

export async function createMind(): Promise<Mind> {
  const folder = await createMemoryFolder();
  const warnings: string[] = [];
  const embedder = new TrigramEmbedder();
  let opens = 0;
  const openStore = (path: string) => {
    opens++;
    return openMemoryTable(path);
  };
  const create = (told: string[]) =>
    new Memory({
      path: folder.database,
      openStore,
      embedder,
      warn: (message, remedy) => told.push(`${message} → ${remedy}`),
    });
  const memory = create(warnings);
  return {
    memory,
    embedder,
    warnings,
    database: folder.database,
    get opens() {
      return opens;
    },
    other: () => create([]),
    async [Symbol.asyncDispose]() {
      memory[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export function said(
  content: string,
  role: WorkingMessage["role"] = "user",
  user_id: string | null = null,
): WorkingMessage {
  return { role, content, user_id, at_ms: 1 };
}

/** An exchange as the pipeline keeps it: in the conversation that goes on, and for good. */
export function exchange(
  memory: Memory,
  conversation_id: string,
  question: string,
  answer: string,
  user = "ana",
): void {
  const turn = memory.beginTurn(conversation_id);
  assert.ok(memory.mayRemember(conversation_id, turn));
  memory.working.add(conversation_id, [said(question, "user", user), said(answer, "assistant")], "en");
  memory.remember({ conversation_id, user_id: user, text: `— ${question}\n— ${answer}`, at_ms: 1 }, turn);
}

/** An earlier exchange: kept for good only. */
export function keep(memory: Memory, conversation_id: string, text: string): void {
  memory.remember({ conversation_id, user_id: null, text, at_ms: 1 }, memory.beginTurn(conversation_id));
}
