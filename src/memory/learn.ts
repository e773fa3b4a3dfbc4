import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { MemoryStore, NewPassage } from "../storage/memory.ts";
import { chunksOf } from "./chunks.ts";

/** Something to learn as a whole. */
export interface Document {
  /** What it is called from then on: a path, a title. One of the same name is replaced. */
  readonly name: string;
  readonly text: string;
  /** Epoch milliseconds of its last change. */
  readonly atMs: number;
}

/** How a document was learned. */
export interface Learned {
  readonly name: string;
  /** `unchanged`: it was known already, word for word. */
  readonly outcome: "learned" | "unchanged";
  /** Passages it consists of now; 0 unless learned. */
  readonly passages: number;
  /** Passages among them that are new. */
  readonly added: number;
  readonly added_ids: readonly number[];
}

export interface LearnOptions {
  readonly signal: AbortSignal;
  /** Told the share that is done, 0 to 1, now and then. */
  readonly onProgress?: (share: number) => void;
}

/** Passages looked at and written in one go; other work goes on in between. */
const WRITTEN_AT_ONCE = 100;
/** The time other work has in between, in milliseconds. */
const BREATH_MS = 2;

/** A name for a text that has none. */
export function nameOfNote(text: string): string {
  return `note-${hashOf(text).slice(0, 12)}`;
}

/**
 * Learns a document: cuts it into passages and keeps those that are new. What is cut short goes on where it was when the
 * same is learned again.
 * @throws StorageError (`changed` when somebody else learns or forgets it meanwhile); the reason of the signal
 */
export async function learnDocument(store: MemoryStore, document: Document, options: LearnOptions): Promise<Learned> {
  const { name, text, atMs } = document;
  const { signal, onProgress = () => {} } = options;
  const hash = hashOf(text);
  if (store.source(name)?.hash === hash) return { name, outcome: "unchanged", passages: 0, added: 0, added_ids: [] };
  const source = store.beginSource(name);
  const there = store.hashesOf(source);
  const kept = new Set<string>();
  const added: number[] = [];
  let batch: NewPassage[] = [];
  let letters = 0;
  const write = async () => {
    added.push(...store.addPassages(source, batch, atMs));
    batch = [];
    onProgress(Math.min(1, letters / Math.max(1, text.length)));
    await setTimeout(BREATH_MS);
    signal.throwIfAborted();
  };
  let looked = 0;
  for (const { heading, text: piece } of chunksOf(text)) {
    const passage = { heading, text: piece, hash: hashOf(`${heading}\n${piece}`) };
    letters += piece.length;
    // It may say the same twice, or have said it before.
    if (!kept.has(passage.hash) && !there.has(passage.hash)) batch.push(passage);
    kept.add(passage.hash);
    if (++looked % WRITTEN_AT_ONCE === 0) await write();
  }
  await write();
  await store.completeSource(source, hash, kept);
  onProgress(1);
  return { name, outcome: "learned", passages: kept.size, added: added.length, added_ids: added };
}

/** SHA-256, in hex. */
function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
