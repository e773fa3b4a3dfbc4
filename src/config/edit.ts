import { dirname } from "node:path";
import { ConfigError } from "../core/errors.ts";
import type { ModelRef, Role } from "../core/types.ts";
import { readJsonText } from "./json_text.ts";
import { parseText, setText, textAt } from "./edit_text.ts";
import { type ConfigSnapshot, EMBEDDED_TEXT, modelsPath, parseConfig } from "./load.ts";
import { describeAccess, readSmallFile } from "./read_file.ts";
import { replaceFile } from "./replace_file.ts";

/** How to change the file. */
export interface EditOptions {
  /** Sees the result before it is written; the change is refused, and nothing written, when it throws. */
  readonly check?: (config: ConfigSnapshot) => Promise<void>;
  /** What is changed when there is no file; default: the embedded defaults. */
  readonly text?: string;
}

/** Where an assignment has to count. */
export interface AssignmentOptions extends EditOptions {
  /** The profile that serves; default: the one that the file makes the active one. */
  readonly profile?: string | undefined;
}

/** What to change in a given text. */
type Change = (text: string) => { readonly path: readonly string[]; readonly value: string };

/**
 * Makes `name` the active profile in the `models.json` of folder `dir`. Comments, order and layout of the file survive;
 * without a file, folder and file are created from the embedded defaults.
 * @returns the configuration as it now stands in the file
 * @throws ConfigError when the result would not load (nothing is written then), or what `check` throws
 * @throws AgentError when the file cannot be written
 */
export async function setProfile(dir: string, name: string, options: EditOptions = {}): Promise<ConfigSnapshot> {
  return await edit(dir, () => ({ path: ["profile"], value: name }), options);
}

/**
 * Gives `role` the model `ref` in the `models.json` of folder `dir`, where it takes effect: in the active profile when
 * that names the role itself or (for any role but `embeddings`) `*`, otherwise in the general assignments.
 * Apart from that like `setProfile`.
 * @returns the configuration as it now stands in the file
 * @throws ConfigError when the result would not load (nothing is written then)
 * @throws AgentError when the file cannot be written
 */
export async function setAssignment(
  dir: string,
  role: Role,
  ref: ModelRef,
  { profile, ...options }: AssignmentOptions = {},
): Promise<ConfigSnapshot> {
  return await edit(dir, (text) => ({ path: assignmentPath(text, role, profile), value: ref }), options);
}

async function edit(
  dir: string,
  change: Change,
  { check, text = EMBEDDED_TEXT }: EditOptions,
): Promise<ConfigSnapshot> {
  const path = modelsPath({ dir });
  for (;;) {
    const target = await realPath(path, dir);
    // Changes wait for each other, those of other processes included.
    using lock = await lockFolder(dirname(target ?? path));
    const before = await readSmallFile(path, dir);
    const after = applyChange(before ?? text, change, path);
    const snapshot = parseResult(after, path);
    await check?.(snapshot);
    if (after === before) return snapshot;
    if (lock === null) {
      await createFolder(dir);
      continue; // now there is a folder to lock
    }
    const replaced = await replaceFile(target ?? path, after, {
      sandboxPath: target === undefined ? dir : dirname(target),
      // A person may have saved the file meanwhile, and not every system can lock a folder: then begin again.
      isCurrent: async () => await readSmallFile(path, dir) === before,
    });
    if (replaced) return snapshot;
  }
}

function applyChange(text: string, change: Change, path: string): string {
  const [, mark = "", body = ""] = /^(\uFEFF?)([^]*)$/.exec(text) ?? [];
  const { value: readable, problems } = readJsonText(body);
  if (readable === undefined) throw new ConfigError(path, problems);
  const { path: place, value } = change(body);
  return mark + setText(body, place, value);
}

/** Where the model of `role` has to be written in order to count in `profile`, or else in the active one. */
function assignmentPath(text: string, role: Role, profile: string | undefined): string[] {
  const root = parseText(text);
  const active = profile ?? textAt(root, ["profile"]);
  if (active === undefined) return ["assignments", role];
  const own = ["profiles", active, "assignments"];
  const names = role === "embeddings" ? [role] : [role, "*"];
  return names.some((name) => textAt(root, [...own, name]) !== undefined) ? [...own, role] : ["assignments", role];
}

function parseResult(text: string, path: string): ConfigSnapshot {
  try {
    return parseConfig(text, path, path);
  } catch (error) {
    if (error instanceof ConfigError) {
      throw new ConfigError(`${path} with this change; nothing was written`, error.problems);
    }
    throw error;
  }
}

/** Follows links, so that a linked file is changed and the link stays. Undefined when there is no file yet. */
async function realPath(path: string, dir: string): Promise<string | undefined> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined; // a dangling link is refused when it is read
    throw describeAccess(error, "read", path, dir);
  }
}

/** Keeps everybody else out until it is disposed. Undefined where a folder cannot be locked, null without a folder. */
async function lockFolder(folder: string): Promise<Deno.FsFile | undefined | null> {
  let handle: Deno.FsFile | undefined;
  try {
    handle = await Deno.open(folder);
    await handle.lock(true);
    return handle;
  } catch (error) {
    handle?.close();
    return error instanceof Deno.errors.NotFound ? null : undefined;
  }
}

async function createFolder(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true });
  } catch (error) {
    throw describeAccess(error, "write", dir);
  }
}
