import type { Dependency, ModuleGraph } from "./module_graph.ts";

/** A room imports itself and rooms of strictly lower rank. Rooms that later issues build are listed already. */
export const ROOM_RANKS: Readonly<Record<string, number>> = {
  core: 0,
  config: 1,
  privacy: 1,
  providers: 1,
  storage: 1,
  router: 2,
  memory: 2,
  chat: 3,
  http: 4,
  discord: 4,
  cli: 5,
};

/** The only code files outside the rooms. */
const TOP_RANKS: Readonly<Record<string, number>> = {
  "src/app.ts": 6,
  "src/app_bot.ts": 6,
  "src/compile.ts": 6,
  "main.ts": 7,
};

const COMPOSITION_ROOTS = new Set(["src/app.ts", "src/app_bot.ts"]);

/** Implementations that only the composition roots may name; everybody else knows their interface. */
const CONCRETE = new Set([
  "src/providers/ollama.ts",
  "src/providers/groq.ts",
  "src/providers/gemini.ts",
  "src/storage/sqlite.ts",
  "src/storage/usage_table.ts",
  "src/storage/memory_table.ts",
  "src/storage/usage_book.ts",
  "src/storage/postgres.ts",
  "src/discord/bot.ts",
]);

/** The room that alone may name a library that talks to a service. */
const SDK_ROOMS: ReadonlyMap<string, string> = new Map([
  ["npm:ollama", "providers"],
  ["npm:groq-sdk", "providers"],
  ["npm:@google/genai", "providers"],
  ["npm:@discordeno/bot", "discord"],
  ["npm:ws", "discord"],
]);

/**
 * No static import may lead to one of these: a sealed run must never load the SDKs of clouds, and Discord's costs every
 * command 74 ms that only the bot should pay.
 */
const LAZY_SDKS = new Set(["npm:groq-sdk", "npm:@google/genai", "npm:@discordeno/bot", "npm:ws"]);

/** The room a path lies in, or the path itself for a file outside the rooms. */
function roomOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? path;
}

/** Rank of the place a path lies in; undefined for a place that the layout does not know. */
function rankOf(path: string): number | undefined {
  const room = roomOf(path);
  return room === path ? TOP_RANKS[path] : ROOM_RANKS[room];
}

function isCode(path: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(path);
}

function isProgram(path: string): boolean {
  return path === "main.ts" || path.startsWith("src/");
}

function edgesOf(graph: ModuleGraph): { from: string; to: Dependency }[] {
  return [...graph].flatMap(([from, dependencies]) => isProgram(from) ? dependencies.map((to) => ({ from, to })) : []);
}

/** Files of src in a folder that is no room, and code directly in src beside the composition root and the build. */
export function findUnknownPlaces(files: readonly string[]): string[] {
  return files
    .filter((file) => file.startsWith("src/"))
    .filter((file) => roomOf(file) !== file || isCode(file))
    .filter((file) => rankOf(file) === undefined)
    .map((file) => `${file}: the layout knows no such place; add it to src/README.md and to the ranks, or move it`);
}

/** Imports of a room of the same or a higher rank, and imports of code that is not part of the program. */
export function findRankViolations(graph: ModuleGraph): string[] {
  return edgesOf(graph).flatMap(({ from, to: { target } }) => {
    if (/^(npm|node):/.test(target) || !isCode(target)) return [];
    if (!isProgram(target)) return [`${from} imports ${target}, which is not part of the program`];
    if (roomOf(from) === roomOf(target)) return [];
    const [own, other] = [rankOf(from), rankOf(target)];
    if (own === undefined || other === undefined || other < own) return [];
    return [`${from} (rank ${own}) imports ${target} (rank ${other})`];
  });
}

/** Imports of tests/support from another folder of the tests: all of them stand on it. */
export function findSupportImports(graph: ModuleGraph): string[] {
  const [tests, support] = ["tests/", "tests/support/"];
  return [...graph].filter(([from]) => from.startsWith(support)).flatMap(([from, dependencies]) =>
    dependencies
      .filter(({ target }) => target.startsWith(tests) && !target.startsWith(support))
      .map(({ target }) => `${from} imports ${target}: what both need belongs into ${support}`)
  );
}

/** Import cycles between files, each as the list of files it runs through. Imports of types alone make no cycle. */
export function findCycles(graph: ModuleGraph): string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (finished.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push([...path.slice(start), file].join(" → "));
      return;
    }
    path.push(file);
    for (const { target, kind } of graph.get(file) ?? []) if (kind !== "type") visit(target);
    path.pop();
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}

/** Imports of a concrete provider, store or the bot by anybody but the composition root and the room itself. */
export function findConcreteImports(graph: ModuleGraph): string[] {
  return edgesOf(graph)
    .filter(({ from, to }) =>
      CONCRETE.has(to.target) && !COMPOSITION_ROOTS.has(from) && roomOf(from) !== roomOf(to.target)
    )
    .map(({ from, to }) => `${from} imports ${to.target}: only ${[...COMPOSITION_ROOTS].join(" and ")} may`);
}

/** Imports of an SDK outside the room it belongs to, types included. */
export function findStraySdks(graph: ModuleGraph): string[] {
  return edgesOf(graph).flatMap(({ from, to: { target } }) => {
    const room = SDK_ROOMS.get(target);
    return room === undefined || roomOf(from) === room ? [] : [`${from} imports ${target}: only src/${room} may`];
  });
}

/** Static imports of a module that itself leads, over static imports, to an SDK that must be loaded on demand. */
export function findEagerSdks(graph: ModuleGraph): string[] {
  return edgesOf(graph).flatMap(({ from, to: { target, kind } }) =>
    kind === "static"
      ? [...staticClosure(graph, target)]
        .filter((reached) => reached !== target && LAZY_SDKS.has(reached))
        .map((sdk) => `${from} imports ${target}, which loads ${sdk}: one of the two must be an import()`)
      : []
  );
}

function staticClosure(graph: ModuleGraph, from: string, seen = new Set<string>()): Set<string> {
  if (seen.has(from)) return seen;
  seen.add(from);
  for (const { target, kind } of graph.get(from) ?? []) if (kind === "static") staticClosure(graph, target, seen);
  return seen;
}
