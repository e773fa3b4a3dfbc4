import { join, relative, resolve, sep } from "node:path";
import { formatBytes } from "../core/format.ts";
import type { Document } from "./learn.ts";

/** Why something cannot be learned. */
export interface Unreadable {
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/** A file to learn, or why a path is none. */
export type Found = { readonly path: string } | Unreadable;

/** Endings of the names of files that are learned. */
const ENDINGS = [".md", ".markdown", ".txt"];
/** Largest text that is learned, in bytes: it is read as a whole. */
export const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

/**
 * The files to learn at a path: itself, or everything with the right ending in a folder and below, by name. Hidden files
 * and folders are left out; links are followed, each folder once, unless they lead out of the folder.
 */
export async function* findDocuments(path: string): AsyncGenerator<Found> {
  const info = await look(path);
  if ("problem" in info) yield info;
  else if (info.isDirectory) yield* walk(path);
  else if (!isText(path)) {
    yield {
      path,
      problem: `Its name ends in none of ${ENDINGS.join(", ")}`,
      remedy: "Save its text under such a name.",
    };
  } else yield asFile(path, info);
}

/**
 * Reads a file.
 * @returns what to learn, or why it cannot be
 */
export async function readDocument(path: string): Promise<Document | Unreadable> {
  let bytes: Uint8Array<ArrayBuffer>;
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
    bytes = await Deno.readFile(path);
  } catch (error) {
    return { path, ...describe(error, path) };
  }
  const text = decodeText(bytes);
  if (typeof text !== "string") return { path, ...text };
  return { name: nameOf(path), text, atMs: info.mtime?.getTime() ?? Date.now() };
}

/** The text of bytes, or why they are none. */
function decodeText(bytes: Uint8Array): string | Omit<Unreadable, "path"> {
  if (bytes.includes(0)) return { problem: "It is not text: it holds NUL bytes", remedy: "Save it as UTF-8 text." };
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { problem: "It is not UTF-8 text", remedy: "Convert it, for example with iconv." };
  }
}

/** What a file is called in answers: relative to the folder the program runs in, where that is shorter. */
export function nameOf(path: string): string {
  const name = relative(Deno.cwd(), resolve(path));
  return plainName((name === "" || name.startsWith("..") ? resolve(path) : name).replaceAll("\\", "/"));
}

/** A name on one line, without signs that nobody sees. */
export function plainName(name: string): string {
  return name.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
}

/** Where a walk began, and the folders it has seen. */
interface Walk {
  /** The real path of its first folder. */
  readonly root: string;
  readonly seen: Set<string>;
}

async function* walk(folder: string, begun?: Walk): AsyncGenerator<Found> {
  let entries: Deno.DirEntry[];
  let way: Walk;
  try {
    const real = await Deno.realPath(folder);
    way = begun ?? { root: real, seen: new Set() };
    if (way.seen.has(real)) return; // a link that leads back
    way.seen.add(real);
    entries = await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    yield { path: folder, ...describe(error, folder) };
    return;
  }
  for (const { name, isDirectory, isSymlink } of entries.toSorted(byName)) {
    const path = join(folder, name);
    if (name.startsWith(".") || !(isDirectory || isSymlink || isText(name))) continue;
    const info = await look(path);
    if (isSymlink && !("problem" in info) && !await leadsInto(way.root, path)) yield outside(path);
    else if (!("problem" in info) && info.isDirectory) yield* walk(path, way);
    else if (isText(name)) yield "problem" in info ? info : asFile(path, info);
  }
}

/** Whoever has somebody learn a folder may have put links into it to what is nobody's business. */
async function leadsInto(root: string, path: string): Promise<boolean> {
  const real = await Deno.realPath(path).catch(() => "");
  return real === root || real.startsWith(root + sep);
}

function outside(path: string): Unreadable {
  return {
    path,
    problem: "It is a link that leads out of the folder",
    remedy: "Name what it leads to, if you want it learned.",
  };
}

function byName(one: Deno.DirEntry, other: Deno.DirEntry): number {
  return one.name < other.name ? -1 : 1;
}

async function look(path: string): Promise<Deno.FileInfo | Unreadable> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    return { path, ...describe(error, path) };
  }
}

function asFile(path: string, { isFile, size }: Deno.FileInfo): Found {
  if (!isFile) return { path, problem: "It is not a regular file", remedy: "Give a text file or a folder." };
  if (size <= MAX_DOCUMENT_BYTES) return { path };
  return {
    path,
    problem: `It has ${formatBytes(size)}; ${formatBytes(MAX_DOCUMENT_BYTES)} is the most that is learned at once`,
    remedy: "Split it.",
  };
}

function isText(path: string): boolean {
  return ENDINGS.some((ending) => path.toLowerCase().endsWith(ending));
}

function describe(error: unknown, path: string): Omit<Unreadable, "path"> {
  if (error instanceof Deno.errors.NotFound) {
    return { problem: "There is no such file or folder", remedy: "Correct the path." };
  }
  if (error instanceof Deno.errors.NotCapable) {
    return {
      problem: "The sandbox of this program does not allow to read it",
      remedy: `Copy it into this folder, or add "${resolve(path)}" to permissions.default.read in deno.json.`,
    };
  }
  if (error instanceof Deno.errors.FilesystemLoop) {
    return { problem: "It is a link that leads back to itself", remedy: "Remove that link." };
  }
  const name = error instanceof Error ? error.name : typeof error;
  return { problem: `It cannot be read (${name})`, remedy: "Check the file, its permissions and its disk." };
}
