import assert from "node:assert/strict";
import project from "../deno.json" with { type: "json" };
import { deriveCompileFlags, parseCompileArguments, V8_FLAGS } from "../src/compile.ts";
import { type Payload, readPayload } from "./support/compiled_payload.ts";
import { startFakeOllama } from "./support/fake_ollama.ts";
import { listFiles } from "./support/module_graph.ts";
import { createFolder } from "./support/program.ts";

const ROOT = new URL("../", import.meta.url);
const SANDBOX = project.permissions.default;

const LOCAL_HOSTS = [
  "localhost",
  "127.0.0.1",
  "[::1]",
  "discord.com:443",
  "*.discord.gg:443",
  "cdn.discordapp.com:443",
];
const CLOUD_HOSTS = ["api.groq.com:443", "generativelanguage.googleapis.com:443"];

/** What the binary may do, in full: anything that is not null here is a hole or a promise. */
function expectedPermissions(net: readonly string[]): Payload["metadata"]["permissions"] {
  return {
    allow_read: ["./"],
    deny_read: null,
    ignore_read: null,
    allow_write: ["./config", "./data", "./.env"],
    deny_write: null,
    allow_net: net,
    deny_net: null,
    allow_env: SANDBOX.env.allow,
    deny_env: null,
    ignore_env: [],
    allow_sys: ["statfs"],
    deny_sys: null,
    allow_run: null,
    deny_run: null,
    allow_ffi: null,
    deny_ffi: null,
    // Deno writes "all hosts" here by itself; the refusal of all hosts wins.
    deny_import: [],
    prompt: false,
  };
}

Deno.test("deriveCompileFlags() leaves the cloud out unless asked, and changes nothing else", () => {
  const local = deriveCompileFlags(SANDBOX);
  const cloud = deriveCompileFlags(SANDBOX, { cloud: true });
  assert.ok(local.includes(`--allow-net=${LOCAL_HOSTS.join(",")}`));
  assert.ok(cloud.includes(`--allow-net=${[...LOCAL_HOSTS, ...CLOUD_HOSTS].join(",")}`));
  const withoutNet = (flags: string[]) => flags.filter((flag) => !flag.startsWith("--allow-net="));
  assert.deepEqual(withoutNet(local), withoutNet(cloud));
});

Deno.test("deriveCompileFlags() spells out a set with relative paths and never names a file of secrets", () => {
  const sandbox = {
    read: ["./"],
    write: ["./a", "./b"],
    net: ["localhost", "api.groq.com:443"],
    env: { allow: ["A", "B"] },
    sys: ["statfs"],
  };
  assert.deepEqual(
    deriveCompileFlags(sandbox, { output: "x/y", target: "aarch64-apple-darwin" }).join(" "),
    "compile --no-prompt --deny-import --ignore-env --allow-env=A,B --allow-net=localhost --allow-read=./ " +
      `--allow-write=./a,./b --allow-sys=statfs --v8-flags=${V8_FLAGS} --bundle --minify --target aarch64-apple-darwin ` +
      "-o x/y main.ts",
  );
});

Deno.test("the tasks run the program with the binary's flags for V8", () => {
  for (const { command } of [project.tasks.start, project.tasks.agent]) {
    assert.ok(command.includes(` --v8-flags=${V8_FLAGS} main.ts`), command);
  }
});

Deno.test("parseCompileArguments() reads its options and refuses everything else", () => {
  assert.deepEqual({ ...parseCompileArguments([]) }, {});
  assert.deepEqual({ ...parseCompileArguments(["--cloud", "-o", "x", "--target", "t"]) }, {
    cloud: true,
    output: "x",
    target: "t",
  });
  for (const wrong of [["--clod"], ["--output"], ["dist/x"]]) {
    assert.throws(() => parseCompileArguments(wrong), TypeError);
  }
});

Deno.test("deno task compile answers a wrong option with exit code 64 and its usage", async () => {
  const { code, stderr } = await runTask(["--clod"]);
  assert.equal(code, 64);
  assert.match(stderr, /--clod.*\n.*Usage: deno task compile \[--cloud\]/);
});

for (
  const [name, flags, hosts] of [
    ["without the cloud", [], LOCAL_HOSTS],
    ["with --cloud", ["--cloud"], [...LOCAL_HOSTS, ...CLOUD_HOSTS]],
  ] as const
) {
  Deno.test(`deno task compile bakes exactly the sandbox of deno.json ${name}`, async () => {
    const { metadata, entries } = await build(flags);
    // Deno's own list of hosts to import from is baked in too; `deny_import` (empty: everything) goes before it.
    const { allow_import: _, ...permissions } = metadata.permissions;
    assert.deepEqual(permissions, expectedPermissions(hosts));
    assert.deepEqual(metadata.argv, []);
    assert.ok(metadata.v8_flags.join().endsWith(`,${V8_FLAGS}`), metadata.v8_flags.join()); // Deno's own come first
    assert.deepEqual(metadata.env_vars_from_env_file, {});
    assert.equal(metadata.unsafely_ignore_certificate_errors, null);
    assert.equal(metadata.log_level, null);
    const { tracing_enabled, metrics_enabled, console } = metadata.otel_config;
    assert.deepEqual({ tracing_enabled, metrics_enabled, console }, {
      tracing_enabled: false,
      metrics_enabled: false,
      console: "Ignore",
    });
    assert.equal(entries.length, 1);
  });
}

/**
 * Builds the real program. A stand-in takes the place of Deno's base runtime, which would have to be downloaded: what
 * `deno compile` appends to it is the same, and that is what these tests read. Telemetry is switched on around the
 * build, because it must not get into the binary.
 */
async function build(flags: readonly string[]): Promise<Payload> {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stderr } = await runTask([...flags, "-o", `${folder}/agent`], {
      DENORT_BIN: await findStandIn(),
      OTEL_DENO: "true",
    });
    assert.equal(code, 0, stderr);
    return readPayload(await Deno.readFile(`${folder}/agent`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function runTask(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "compile", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** Any small executable of this system. */
async function findStandIn(): Promise<string> {
  for (const path of ["/usr/bin/true", "/bin/true"]) {
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  throw new Error("Cannot build: this system has no `true` to stand in for the base runtime");
}

Deno.test("the program still works once it is bundled and minified, as the binary has it", async () => {
  await using folder = await createFolder();
  const ollama = startFakeOllama();
  const program = `${folder.path}/program.js`;
  const bundled = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", "--minify", "-o", program, "main.ts"],
    cwd: ROOT,
  }).output();
  assert.equal(bundled.code, 0, new TextDecoder().decode(bundled.stderr));
  assert.equal(countUsing(await Deno.readTextFile(program)), await countUsingIn("src/"), "a disposal was folded away");
  const start = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-config", "--ignore-env", ...deriveRunFlags(), program, ...args],
      cwd: folder.path,
      env: { OLLAMA_HOST: ollama.origin, DENO_NO_UPDATE_CHECK: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const runOn = async (stdin: string, ...args: string[]) => {
    const child = start(...args);
    await new Blob([stdin]).stream().pipeTo(child.stdin);
    const { code, stdout, stderr } = await child.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  const run = (...args: string[]) => runOn("", ...args);
  try {
    // Each waits for locks and disposals that the minifier has been seen to drop.
    assert.equal(await run("ask", "Hola"), "Hola, soy Django.");
    await run("models", "profile", "budget_mode");
    await run("models", "assign", "technical", "ollama/llama3.2");
    assert.match(await run("privacy"), new RegExp(ollama.origin));
    assert.match(await run("doctor"), /data folder: .\/data can be written/);
    await runOn("Los tomates se riegan cada dos días.", "learn", "-", "--source", "huerto");
    assert.match(await run("memory", "search", "tomate"), /cada dos días/);
    const two = await runOn("Hola\n¿Sigues ahí?\n", "chat"); // the second waits for the turn of the first
    assert.equal(two, "Hola, soy Django.\nHola, soy Django.\n");
    await assertServesPage(start("serve", "--port", "0"));
  } finally {
    await ollama.stop();
  }
});

/** The page is part of the bundle, its modules and the libraries' as the texts they are. */
async function assertServesPage(child: Deno.ChildProcess): Promise<void> {
  await child.stdin.close();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let [told, origin]: [string, string | undefined] = ["", undefined];
  while (origin === undefined) {
    const { value, done } = await reader.read();
    assert.ok(!done, told);
    told += value;
    origin = / at (http:\/\/\S+?)(,|\n)/.exec(told)?.[1];
  }
  const read = async (path: string) => await (await fetch(origin + path)).text();
  assert.match(await read("/"), /<script type="module" src="\/assets\/main\.ts"/);
  assert.match(await read("/assets/main.ts"), /import \{[^}]*\} from "preact"/);
  assert.match(await read("/assets/preact.js"), /export\{/);
  child.kill("SIGTERM");
  while (!(await reader.read()).done);
  await child.stdout.cancel();
  assert.equal((await child.status).code, 0);
}

/** Declarations that dispose of what they declare. */
function countUsing(source: string): number {
  return source.match(/\busing [\w$]+ ?=/g)?.length ?? 0;
}

async function countUsingIn(folder: string): Promise<number> {
  const files = (await listFiles(new URL("../", import.meta.url), folder)).filter((file) => file.endsWith(".ts"));
  const counts = files.map(async (file) => countUsing(await Deno.readTextFile(new URL(`../${file}`, import.meta.url))));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** The permissions of the binary, as flags of `deno run`. */
function deriveRunFlags(): string[] {
  return deriveCompileFlags(project.permissions.default).filter((flag) => /^--(allow|deny|no-prompt)/.test(flag));
}
