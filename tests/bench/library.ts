/** A library of made-up passages whose words are as common and as rare as those of a language (Zipf's law). */
import { createRandom } from "../support/random.ts";

const SYLLABLES = "ca me lo tri pas ten gu ro si va ne bi do fu ja ple cor qui zan mo".split(" ");
const VOCABULARY = 60_000;
/** Sub-topics: passages of the same one have similar vectors. */
const TOPICS = 500;

export interface Library {
  /** `words` words; the n-th most common of them is as common as 1/n says. */
  text(words: number): string;
  /** A unit vector near the centre of a topic. */
  vector(topic: number): Float32Array<ArrayBuffer>;
  readonly topics: number;
}

export function createLibrary(dimensions: number, random = createRandom(1)): Library {
  const words = Array.from({ length: VOCABULARY }, (_, rank) => wordOf(rank));
  const word = () => words[Math.floor(Math.exp(random() * Math.log(VOCABULARY))) - 1] ?? "";
  const centres = Array.from({ length: TOPICS }, () => Float32Array.from({ length: dimensions }, () => random() - 0.5));
  return {
    topics: TOPICS,
    text: (count) => Array.from({ length: count }, word).join(" "),
    vector(topic) {
      const centre = centres[topic % TOPICS] ?? new Float32Array(dimensions);
      const near = centre.map((value) => value + (random() - 0.5) * 0.8);
      const length = Math.sqrt(near.reduce((sum, value) => sum + value * value, 0));
      return near.map((value) => value / length);
    },
  };
}

/** Common words are short, and no two are the same. */
function wordOf(rank: number): string {
  let word = "";
  for (let left = rank + SYLLABLES.length; left > 0; left = Math.floor(left / SYLLABLES.length)) {
    word += SYLLABLES[left % SYLLABLES.length];
  }
  return word;
}
