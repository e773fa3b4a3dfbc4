/** Cuts a word with a megabyte of blanks behind it into pieces, and prints how many there are. */
import { chunksOf } from "../../src/memory/chunks.ts";

console.log([...chunksOf(`word${" ".repeat(1024 * 1024)}`)].length);
