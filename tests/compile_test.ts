import assert from "node:assert/strict";
import project from "../deno.json" with { type: "json" };
import { deriveCompileFlags, parseCompileArguments, TARGETS, V8_FLAGS } from "../src/compile.ts";
import { AgentError } from "../src/core/errors.ts";
import type { Payload } from "./support/compiled_payload.ts";
import { buildProgram, type Built, runCompile } from "./support/compiled_program.ts";
import { type FakeOllama, startFakeOllama } from "./support/fake_ollama.ts";
import { listFiles } from "./support/module_graph.ts";
import { createFolder, type Finished, type Running, type RunOptions, startProgram } from "./support/program.ts";
import { startTcpProxy } from "./support/tcp_proxy.ts";
import { startTcpServer } from "./support/tcp_server.ts";

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
    "compile --no-check --no-prompt --deny-import --ignore-env --allow-env=A,B --allow-net=localhost --allow-read=./ " +
      `--allow-write=./a,./b --allow-sys=statfs --v8-flags=${V8_FLAGS} --bundle --minify --target aarch64-apple-darwin ` +
      "-o x/y main.ts",
  );
});

Deno.test("the tasks run the program with the binary's flags for V8", () => {
  for (const { command } of [project.tasks.start, project.tasks.agent]) {
    assert.ok(command.includes(` --v8-flags=${V8_FLAGS} main.ts`), command);
  }
});

Deno.test("deriveCompileFlags() adds the hosts asked for, each once, and none that is granted with every port", () => {
  const hosts = ["127.0.0.1:9", "[::1]:9", "localhost:9", "127.0.0.2:9", "nas.lan:9", "nas.lan:9", "discord.com:443"];
  const flags = deriveCompileFlags(SANDBOX, { hosts });
  assert.ok(flags.includes(`--allow-net=${[...LOCAL_HOSTS, "127.0.0.2:9", "nas.lan:9"].join(",")}`), flags.join(" "));
});

Deno.test("parseCompileArguments() reads its options, addresses as the program will ask for them", () => {
  assert.deepEqual(parseCompileArguments([]), { hosts: [] });
  assert.deepEqual(parseCompileArguments(["--cloud", "-o", "x", "--target", TARGETS[0] ?? ""]), {
    cloud: true,
    output: "x",
    target: TARGETS[0],
    hosts: [],
  });
  const addresses = ["--ollama", "NAS.local:11434", "--ollama=[FD00::20]:80", "--postgres", "10.1:05432"];
  const { hosts } = parseCompileArguments([...addresses, "--listen", "0.0.0.0:8000", "--listen", "[::]:8000"]);
  assert.deepEqual(hosts, ["nas.local:11434", "[fd00::20]:80", "0.0.0.0:8000", "[::]:8000", "10.0.0.1:5432"]);
});

const WRONG: readonly (readonly [args: string, why: RegExp, right: RegExp])[] = [
  ["--clod", /'--clod'/, /Usage: deno task compile \[--cloud\]/],
  ["--output", /--output <value>' argument missing/, /Usage/],
  ["dist/x", /dist\/x/, /Usage/],
  ["--target x", /"x"/, new RegExp(`${TARGETS.join(", ")}\\.$`)],
  ["--ollama http://nas:11434", /scheme/, /--ollama 192\.168\.1\.20:11434/],
  ["--ollama *.lan:11434", /wildcard/, /--ollama 192/],
  ["--ollama *", /wildcard/, /--ollama 192/],
  ["--ollama nas", /lacks its port/, /--ollama 192/],
  ["--listen :8000", /not a host and a port/, /--listen 0\.0\.0\.0:8000/],
  ["--postgres nas:", /lacks its port/, /--postgres 192\.168\.1\.20:5432/],
  ["--postgres nas:0", /ports go from 1 to 65535/, /--postgres 192/],
  ["--postgres nas:65536", /ports go from 1 to 65535/, /--postgres 192/],
  ["--ollama fd00::20:11434", /without brackets/, /\[fd00::20\]:11434/],
  ["--ollama [::1", /not a host and a port/, /--ollama 192/],
  ["--ollama 192.168.1.256:1", /not a host that there can be/, /--ollama 192/],
  ["--ollama nas:1,evil.com:1", /not a host and a port/, /--ollama 192/],
  ["--ollama me@nas:1", /not a host and a port/, /--ollama 192/],
  ["--ollama nas:1/api", /not a host and a port/, /--ollama 192/],
  ["--ollama 0.0.0.0:11434", /where a server listens/, /--ollama 192/],
  ["--ollama api.groq.com:443", /nor on the local network/, /--cloud/],
  ["--listen generativelanguage.googleapis.com:443", /nor on the local network/, /--cloud/],
  ["--postgres db.example.com:5432", /nor on the local network/, /permissions\.default\.net/],
  ["--listen 8.8.8.8:53", /nor on the local network/, /permissions\.default\.net/],
];

Deno.test("parseCompileArguments() refuses what is wrong with the reason and with what would be right", () => {
  for (const [args, why, right] of WRONG) {
    assert.throws(() => parseCompileArguments(args.split(" ")), (error) => {
      assert.ok(error instanceof AgentError, args);
      assert.match(error.message, why);
      assert.match(error.remedy ?? "", right);
      return error.exitCode === 64;
    });
  }
});

Deno.test("deno task compile answers a wrong option with exit code 64, before anything is built", async () => {
  const { code, stderr } = await runCompile(["--ollama", "http://nas:11434"]);
  assert.equal(code, 64);
  assert.match(stderr, /scheme.* → Write it like --ollama 192/);
  assert.doesNotMatch(stderr, /Compile|Bundl/);
  for (
    const [output, reason] of [["", /names no file/], ["/dev/full", /is no file/], ["src", /is no file/]] as const
  ) {
    const refused = await runCompile(["-o", output]);
    assert.equal(refused.code, 64, output);
    assert.match(refused.stderr, reason);
  }
  assert.deepEqual((await runCompile(["--help"])).code, 0);
});

const builds = new Map<string, Promise<Built>>();

/** The binary with these flags, built once for all tests. */
function built(...flags: string[]): Promise<Built> {
  const known = builds.get(flags.join(" ")) ?? buildProgram(flags);
  builds.set(flags.join(" "), known);
  return known;
}

Deno.test.afterAll(async () => {
  for (const build of builds.values()) await (await build)[Symbol.asyncDispose]();
});

const FAR_HOSTS = ["192.168.1.20:11434", "0.0.0.0:8000", "[fd00::20]:5432"];
const VARIANTS = [
  ["without options", [], LOCAL_HOSTS],
  ["with --cloud", ["--cloud"], [...LOCAL_HOSTS, ...CLOUD_HOSTS]],
  [
    "with hosts",
    ["--ollama", "192.168.1.20:11434", "--listen", "0.0.0.0:8000", "--postgres", "[fd00::20]:5432"],
    [...LOCAL_HOSTS, ...FAR_HOSTS],
  ],
] as const;

for (const [name, flags, hosts] of VARIANTS) {
  Deno.test(`deno task compile ${name} bakes in exactly the sandbox, the program, and nothing of this machine; prints the size`, async () => {
    const { payload: { metadata, entries }, leaks, size } = await built(...flags);
    assert.deepEqual(leaks, []);
    // Deno's own list of hosts to import from is baked in too; `deny_import` (empty: everything) goes before it.
    const { allow_import: _, ...permissions } = metadata.permissions;
    assert.deepEqual(permissions, expectedPermissions(hosts));
    assert.deepEqual(metadata.argv, []);
    assert.ok(metadata.v8_flags.join().endsWith(`,${V8_FLAGS}`), metadata.v8_flags.join()); // Deno's own come first
    assert.deepEqual(metadata.env_vars_from_env_file, {});
    assert.equal(metadata.unsafely_ignore_certificate_errors, null);
    assert.equal(metadata.log_level, null);
    const { tracing_enabled, metrics_enabled, console } = metadata.otel_config;
    assert.deepEqual([tracing_enabled, metrics_enabled, console], [false, false, "Ignore"]);
    assert.deepEqual(entries, [metadata.entrypoint_key]);
    tellFigure(`payload ${name}: ${(size / 1e6).toFixed(2)} MB`);
  });
}

function tellFigure(text: string): void {
  console.log(text);
}

Deno.test("nothing is dropped from the program when it is bundled and minified", async () => {
  const { payload: { program } } = await built();
  const text = new TextDecoder().decode(program);
  assert.equal(countUsing(text), await countUsingIn("src/"), "a disposal was folded away");
});

/** Declarations that dispose of what they declare. */
function countUsing(source: string): number {
  return source.match(/\busing [\w$]+ ?=/g)?.length ?? 0;
}

async function countUsingIn(folder: string): Promise<number> {
  const files = (await listFiles(ROOT, folder)).filter((file) => file.endsWith(".ts"));
  const counts = files.map(async (file) => countUsing(await Deno.readTextFile(new URL(file, ROOT))));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly ollama: FakeOllama;
  start(args: readonly string[], options?: Partial<RunOptions>): Running;
  /** Runs the binary to its end. */
  run(args: readonly string[], options?: Partial<RunOptions>): Promise<Finished>;
  /** What a run prints that has to succeed. */
  print(args: readonly string[], options?: Partial<RunOptions>): Promise<string>;
}

/** The binary in a folder without anything, beside a made-up Ollama. */
async function setUp({ program, isReal }: Built): Promise<Scene> {
  tellFigure(isReal ? "runs the real binary" : "runs the payload with its flags: Deno's base runtime is not here");
  const folder = await createFolder();
  const ollama = startFakeOllama();
  const env = { OLLAMA_HOST: ollama.origin };
  const start = (args: readonly string[], { env: more, ...options }: Partial<RunOptions> = {}) =>
    startProgram(args, { folder: folder.path, command: program, env: { ...env, ...more }, ...options });
  return {
    folder: folder.path,
    ollama,
    start,
    run: (args, options) => start(args, options).finished,
    async print(args, options) {
      const { code, stdout, stderr } = await start(args, options).finished;
      assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      await ollama.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test("the binary has its version, answers, remembers and posts; prints how long it takes to start", async () => {
  await using scene = await setUp(await built());
  const { print } = scene;
  const times = [];
  for (let run = 0; run < 5; run++) {
    const from = performance.now();
    assert.equal(await print(["--version"]), `${project.version}\n`);
    times.push(performance.now() - from);
  }
  tellFigure(`--version: ${times.toSorted((a, b) => a - b)[2]?.toFixed(0)} ms, the median of 5`);
  // Each of these waits for locks and disposals that the minifier has been seen to drop.
  assert.equal(await print(["ask", "Hola"]), "Hola, soy Django.");
  await print(["models", "profile", "budget_mode"]);
  await print(["models", "assign", "technical", "ollama/llama3.2"]);
  assert.match(await print(["privacy"]), new RegExp(scene.ollama.origin));
  assert.match(await print(["doctor"]), /data folder: .\/data can be written/);
  await print(["learn", "-", "--source", "huerto"], { stdin: "Los tomates se riegan cada dos días." });
  assert.match(await print(["memory", "search", "tomate"]), /cada dos días/);
  const two = await print(["chat"], { stdin: "Hola\n¿Sigues ahí?\n" }); // the second waits for the turn of the first
  assert.equal(two, "Hola, soy Django.\nHola, soy Django.\n");
  const webhook = { DISCORD_WEBHOOK_URL: "https://discord.com/api/webhooks/1/token" };
  assert.match(await print(["post", "Hola", "--dry-run"], { env: webhook }), /"content":"Hola"/);
});

Deno.test("the binary serves the page, whose modules and libraries are in it as the texts they are", async () => {
  await using scene = await setUp(await built());
  const serving = scene.start(["serve", "--port", "0"]);
  const read = await readerOf(serving);
  assert.match(await read("/"), /<script type="module" src="\/assets\/main\.ts"/);
  assert.match(await read("/assets/main.ts"), /import \{[^}]*\} from "preact"/);
  assert.match(await read("/assets/preact.js"), /export\{/);
  await stop(serving);
});

/** Reads what a `serve` that has just been started serves. */
async function readerOf(serving: Running): Promise<(path: string) => Promise<string>> {
  await serving.waitUntilTold("\nbot ");
  const origin = / at (http:\/\/\S+?)(,|\n)/.exec(serving.told)?.[1];
  return async (path) => await (await fetch(origin + path)).text();
}

async function stop(serving: Running): Promise<void> {
  serving.kill("SIGTERM");
  const { code, stderr } = await serving.finished;
  assert.equal(code, 0, stderr);
}

Deno.test("service of the binary starts the binary itself", async () => {
  const binary = await built();
  await using scene = await setUp(binary);
  const unit = await scene.print(["service", "--system", "linux"]);
  const executable = binary.isReal ? binary.program[0] : Deno.execPath();
  assert.match(unit, new RegExp(`^ExecStart=:${executable} serve$`, "m"));
  assert.doesNotMatch(unit, /^Environment=/m);
  assert.match(await scene.print(["service", "--system", "windows"]), /<Arguments>serve<\/Arguments>/);
});

Deno.test("the binary reaches no cloud unless it was built with --cloud", async () => {
  await using local = await setUp(await built());
  for (const args of [["ask", "Hola"], ["serve"], ["privacy"]]) {
    const { code, stderr } = await local.run([...args, "--cloud"]);
    assert.equal(code, 77);
    assert.match(stderr, /built without the right to reach any cloud.*\n→ .*deno task compile --cloud/);
  }
  await using cloud = await setUp(await built("--cloud"));
  const open = await cloud.print(["privacy", "--cloud"]);
  assert.match(open, /^open to the cloud.*^api\.groq\.com:443 +allowed$/ms);
  const sealed = await cloud.print(["privacy"]);
  assert.match(sealed, /^sealed: .*^api\.groq\.com:443 +denied$/ms);
});

Deno.test("the binary names the option that would grant what it lacks, and has it once it is built so", async () => {
  const local = await built();
  await using scene = await setUp(local);
  await using ollama = await startTcpProxy(Number(new URL(scene.ollama.origin).port), "127.0.0.2");
  await using postgres = await startTcpServer((socket) => socket.destroy(), "127.0.0.2");
  const listening = `127.0.0.3:${ollama.port}`; // nobody else has it: the port is taken on the address beside it
  const [host, port = ""] = listening.split(":");
  const env = {
    OLLAMA_HOST: `127.0.0.2:${ollama.port}`,
    DATABASE_URL: `postgres://u:p@127.0.0.2:${postgres.port}/usage`,
  };
  const asks = ["--host", host ?? "", "--port", port];
  const lacking = (option: string, address: string) =>
    new RegExp(
      `does not allow .*→ .*build the binary again.* every option .* and --${option} ${address} besides\\.$`,
      "ms",
    );

  const refused = await scene.run(["ask", "Hola"], { env });
  assert.equal(refused.code, 77);
  assert.match(refused.stderr, lacking("ollama", `127.0.0.2:${ollama.port}`));
  const deaf = await scene.run(["serve", ...asks]);
  assert.equal(deaf.code, 77);
  assert.match(deaf.stderr, lacking("listen", listening));
  const shared = await scene.run(["usage", "--shared"], { env });
  assert.equal(shared.code, 77);
  assert.match(shared.stderr, lacking("postgres", `127.0.0.2:${postgres.port}`));
  assert.deepEqual([ollama.connections, postgres.connections], [0, 0]);

  const granted = await buildProgram([
    ...["--ollama", `127.0.0.2:${ollama.port}`, "--listen", listening],
    ...["--postgres", `127.0.0.2:${postgres.port}`],
  ]);
  await using _remove = granted;
  const run = { env, command: granted.program };
  assert.equal(await scene.print(["ask", "Hola"], run), "Hola, soy Django.");
  assert.match(await scene.print(["privacy"], run), new RegExp(`^127\\.0\\.0\\.2:${ollama.port} +allowed$`, "m"));
  await scene.run(["usage", "--shared"], run);
  assert.ok(postgres.connections > 0);
  const serving = scene.start(["serve", ...asks], run);
  assert.match(await (await readerOf(serving))("/health"), /"status"/);
  await stop(serving);
});
