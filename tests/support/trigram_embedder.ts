import { isFunctionWord, wordsOf } from "../../src/core/language.ts";
import type { Embedder, EmbedderOptions } from "../../src/memory/embedder.ts";

const DIMENSIONS = 256;

/** Stands in for an embeddings model: texts that share sequences of three letters have vectors that are near. */
export class TrigramEmbedder implements Embedder {
  model: string | undefined = "fake/trigrams";
  /** The texts of each call, in order. */
  readonly calls: string[][] = [];
  /** Done before it answers; may throw. */
  beforeAnswer: (texts: readonly string[], options: EmbedderOptions) => void | Promise<void> = () => {};

  async embed(texts: readonly string[], options: EmbedderOptions): Promise<number[][]> {
    this.calls.push([...texts]);
    await this.beforeAnswer(texts, options);
    return texts.map((text) => trigramVector(text));
  }
}

/** How often each sequence of three letters occurs, in buckets; frequent ones count less than proportionally. */
export function trigramVector(text: string, dimensions = DIMENSIONS): number[] {
  const counts = new Map<string, number>();
  for (const word of wordsOf(text)) {
    if (isFunctionWord(word)) continue;
    const letters = ` ${word} `;
    for (let at = 0; at + 3 <= letters.length; at++) {
      const gram = letters.slice(at, at + 3);
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
  }
  const vector = new Array<number>(dimensions).fill(0);
  for (const [gram, count] of counts) {
    const hash = hashOf(gram);
    const bucket = hash % dimensions;
    // The sign keeps the sum of strangers near nought (Weinberger 2009, "Feature hashing").
    vector[bucket] = (vector[bucket] ?? 0) + Math.sqrt(count) * (hash & 0x10000 ? 1 : -1);
  }
  return vector;
}

/** FNV-1a, 32 bits, with a last mixing. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
