/**
 * Converses while the disk under the memory cannot be written: `memory_on_bad_disk.ts FOLDER FATE`. With FATE `full` it
 * fills up and is emptied again, with `read-only` it is mounted so before the memory is opened. Prints what came of it
 * as JSON.
 */
import { type Api, startApi } from "../support/api.ts";
import { hear, historyIn, lastOf, promptOf, say, shownIn, watchEvents } from "../support/conversation.ts";

/** What is printed. */
export interface BadDiskReport {
  readonly contents: readonly string[];
  readonly history: readonly string[];
  /** About the memory alone. */
  readonly warnings: readonly { readonly message: string; readonly remedy: string }[];
  /** Exchanges that are kept for good: with the disk as it was, and in the end. */
  readonly episodes: readonly number[];
}

const MORE = { conversation_id: "c1" };

if (import.meta.main) {
  const [folder = "", fate = ""] = Deno.args;
  await using api = await startApi();
  const events = watchEvents(api);
  await Deno.mkdir(`${api.folder}/data`, { recursive: true });
  await Deno.symlink(`${folder}/memory.db`, `${api.folder}/data/memory.db`);
  await Deno.writeTextFile(`${folder}/memory.db`, "");
  if (fate === "read-only") remount(folder, "ro");
  const contents = [(await say(api, "Hola", MORE)).content];
  const episodes = [await episodesOf(api)];
  const filler = fate === "full" ? fill(folder) : undefined;
  contents.push(...await converse(api));
  const history = historyIn(promptOf(api.first));
  const warnings = events.flatMap(({ name, data }) =>
    name === "system.warning" && data.code === "memory" ? [data] : []
  );
  if (filler !== undefined) Deno.removeSync(filler);
  await say(api, "¿Otra vez?", MORE);
  episodes.push(await episodesOf(api));
  console.log(JSON.stringify({ contents, history, warnings, episodes } satisfies BadDiskReport));
}

async function converse(api: Api): Promise<string[]> {
  const { content } = await say(api, `¿Y ahora? ${"bla ".repeat(900)}`, MORE);
  const streamed = await hear(api, "¿Y en trozos?", MORE);
  await say(api, "Adiós", MORE);
  return [content, shownIn(streamed), String(lastOf(streamed, "done")["content"])];
}

/** -1 when nobody can say. */
async function episodesOf(api: Api): Promise<number> {
  const response = await api.send("GET", "/api/memory/stats");
  const { episodes = -1 } = await response.json();
  return episodes;
}

/** Writes until nothing fits any more. */
function fill(folder: string): string {
  const path = `${folder}/filler`;
  using file = Deno.openSync(path, { write: true, create: true });
  try {
    for (const piece = new Uint8Array(4096);;) file.writeSync(piece);
  } catch {
    return path; // full
  }
}

function remount(folder: string, how: "ro" | "rw"): void {
  const { success, stderr } = new Deno.Command("mount", { args: ["-o", `remount,${how}`, folder] }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
