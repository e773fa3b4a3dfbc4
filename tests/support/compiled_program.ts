/** Builds the binary as a person does, and runs what came out of it. */
import assert from "node:assert/strict";
import { indexOf, type Payload, readPayload, runFlagsOf } from "./compiled_payload.ts";
import { projectPath, ROOT_FOLDER } from "./paths.ts";

/** Secrets of the machine that builds, in its environment and in its `.env`: none may get into a binary. */
const SECRETS = {
  GROQ_API_KEY: "gsk_secret-of-the-environment",
  DISCORD_BOT_TOKEN: "bot-secret-of-the-environment",
  DATABASE_URL: "postgres://u:secret-of-the-environment@127.0.0.1/x",
};
const SECRET_IN_FILE = "AIza-secret-of-the-dotenv";
const VARIABLE_IN_FILE = "GEMINI_API_KEY";

export interface Built extends AsyncDisposable {
  readonly payload: Payload;
  /** Bytes of all that is not Deno's base runtime. */
  readonly size: number;
  /** What runs it, before the program's own arguments: the binary, or Deno with all that the binary would give it. */
  readonly program: readonly string[];
  /** Whether that is the binary. */
  readonly isReal: boolean;
  /** Secrets of the build and places of this machine that are in it. */
  readonly leaks: readonly string[];
}

export interface TaskRun {
  readonly code: number;
  readonly stderr: string;
}

/** Runs `deno task compile` in a checkout. */
export async function runCompile(
  args: readonly string[],
  { cwd = ROOT_FOLDER, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<TaskRun> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "compile", ...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/**
 * Builds the real program in a checkout of its own, with secrets around it and telemetry switched on, neither of which
 * may get into the binary.
 *
 * Deno's base runtime is used where it is: in Deno's cache, or where DENORT_BIN says. It cannot be downloaded on every
 * machine. Where it is missing, another executable takes its place: what `deno compile` appends to it is the same, and
 * the program is run out of there by Deno itself, with exactly the flags that were written beside it.
 */
export async function buildProgram(flags: readonly string[]): Promise<Built> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "django-agent-built-" }));
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    const checkout = `${folder}/checkout-of-somebody`;
    await copyProject(checkout);
    await Deno.writeTextFile(`${checkout}/.env`, `${VARIABLE_IN_FILE}=${SECRET_IN_FILE}\n`);
    const binary = `${folder}/#django-agent 100%`; // what means something else in a URL
    const runtime = await findRuntime();
    const env = { ...SECRETS, OTEL_DENO: "true", ...(runtime !== undefined && { DENORT_BIN: runtime }) };
    const { code, stderr } = await runCompile([...flags, "-o", binary], { cwd: checkout, env });
    assert.equal(code, 0, stderr);
    const bytes = await Deno.readFile(binary);
    const payload = readPayload(bytes);
    const isReal = await printsVersion(binary);
    return {
      payload,
      isReal,
      size: bytes.length - payload.begin,
      program: isReal ? [binary] : await standIn(folder, payload),
      leaks: await findLeaks(bytes.subarray(payload.begin), folder),
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Everything that the build needs, and nothing else. */
async function copyProject(to: string): Promise<void> {
  await Deno.mkdir(to);
  for (const name of ["main.ts", "deno.json", "deno.lock", "src", "config"]) {
    const { success, stderr } = await new Deno.Command("cp", { args: ["-R", projectPath(name), `${to}/${name}`] })
      .output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
}

/** Deno's base runtime as DENORT_BIN has to name it, or another executable; undefined when Deno finds its own. */
async function findRuntime(): Promise<string | undefined> {
  const given = Deno.env.get("DENORT_BIN");
  if (given !== undefined) return given;
  const cached = `${await denoDir()}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  if (await isFile(cached)) return undefined;
  for (const path of ["/usr/bin/true", "/bin/true"]) if (await isFile(path)) return path;
  throw new Error("Cannot build: this system has no `true` to stand in for the base runtime");
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isFile }) => isFile, () => false);
}

/** Whether a binary is the program itself: a stand-in prints nothing. */
async function printsVersion(binary: string): Promise<boolean> {
  const { stdout } = await new Deno.Command(binary, { args: ["--version"] }).output();
  return /^\d+\.\d+\.\d+\n$/.test(new TextDecoder().decode(stdout));
}

/** Deno with what the binary has. The program lies where its sandbox does not let it read, as in the binary. */
async function standIn(folder: string, { program, metadata }: Payload): Promise<string[]> {
  await Deno.writeFile(`${folder}/program.mjs`, program);
  await Deno.writeTextFile(`${folder}/binary.mjs`, BINARY);
  return [Deno.execPath(), "run", "-q", "--no-config", ...runFlagsOf(metadata), `${folder}/binary.mjs`];
}

/** The program is told that it is a binary, as the base runtime tells it. */
const BINARY = `
const { build } = Deno;
const told = Object.create(Deno, { build: { value: { ...build, standalone: true } } });
Object.defineProperty(globalThis, "Deno", { value: told });
await import("./program.mjs");
`;

async function findLeaks(bytes: Uint8Array, folder: string): Promise<string[]> {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? "";
  const places = [folder, "checkout-of-somebody", ROOT_FOLDER, await denoDir(), Deno.execPath(), home];
  const wanted = [...Object.values(SECRETS), SECRET_IN_FILE, ...places.filter((place) => place.length > 1)];
  return wanted.filter((text) => indexOf(bytes, text) >= 0);
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
