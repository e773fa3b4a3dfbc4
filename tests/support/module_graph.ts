/** How a module names another one: by a value import, by `import()`, or only for its types. */
export type DependencyKind = "static" | "dynamic" | "type";

export interface Dependency {
  /** A path relative to the project (`src/core/log.ts`), `npm:` and the package's name, `node:…`, or a full URL. */
  readonly target: string;
  readonly kind: DependencyKind;
}

/** Every module of the program, by its path relative to the project, with what it imports. */
export type ModuleGraph = ReadonlyMap<string, readonly Dependency[]>;

interface InfoDependency {
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
  readonly isDynamic?: boolean;
}

/** The part of what `deno info --json` prints that is used here. */
export interface DenoInfo {
  readonly modules: readonly InfoModule[];
}

interface InfoModule {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly InfoDependency[];
}

/**
 * Turns the output of `deno info --json` into a graph; modules outside `root` are only ever targets.
 * @throws {Error} for a module that Deno could not load, because its imports would be missing.
 */
export function parseModuleGraph(info: DenoInfo, root: URL): ModuleGraph {
  const graph = new Map<string, readonly Dependency[]>();
  for (const { specifier, error, dependencies = [] } of info.modules) {
    if (error !== undefined) throw new Error(`Cannot load ${specifier}: ${error}`);
    if (!specifier.startsWith(root.href)) continue;
    graph.set(
      shortenSpecifier(specifier, root),
      dependencies.flatMap((dependency) => readDependency(dependency, root)),
    );
  }
  return graph;
}

function readDependency({ code, type, isDynamic = false }: InfoDependency, root: URL): Dependency[] {
  const specifier = code?.specifier ?? type?.specifier;
  if (specifier === undefined) return [];
  const kind = code === undefined ? "type" : isDynamic ? "dynamic" : "static";
  return [{ target: shortenSpecifier(specifier, root), kind }];
}

function shortenSpecifier(specifier: string, root: URL): string {
  const packageName = /^npm:\/?((?:@[^/]+\/)?[^@/]+)/.exec(specifier)?.[1];
  if (packageName !== undefined) return `npm:${packageName}`;
  return specifier.startsWith(root.href) ? decodeURI(specifier.slice(root.href.length)) : specifier;
}

/**
 * The graph of `files` and of everything they import, dynamic imports included, as Deno itself resolves it.
 * One temporary module that imports them all lets a single `deno info` see files that nothing else imports.
 */
export async function loadModuleGraph(files: readonly string[], root: URL): Promise<ModuleGraph> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const imports = files.map((file) => `import ${JSON.stringify(new URL(encodeURI(file), root).href)};`);
    await Deno.writeTextFile(entry, imports.join("\n"));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", "deno.json", entry],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(`Cannot read the module graph: ${new TextDecoder().decode(stderr)}`);
    return parseModuleGraph(JSON.parse(new TextDecoder().decode(stdout)), root);
  } finally {
    await Deno.remove(entry);
  }
}

/** Paths relative to `root` of every file below `folder` (itself relative, with a closing slash), sorted. */
export async function listFiles(root: URL, folder = "", skip: ReadonlySet<string> = new Set()): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(new URL(encodeURI(folder || "./"), root))) {
    if (skip.has(name)) continue;
    if (isDirectory) files.push(...await listFiles(root, `${folder}${name}/`, skip));
    else if (isFile) files.push(`${folder}${name}`);
  }
  return files.sort();
}
