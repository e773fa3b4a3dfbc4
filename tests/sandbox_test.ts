import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import project from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);

/** What each switch is for. Without any one of them the program would still run, and keep its promise less well. */
const SWITCHES = [
  // Deno looks for a newer version of itself once a day, past every permission.
  "DENO_NO_UPDATE_CHECK=1",
  // Deno's telemetry reports to wherever the environment says, past every permission.
  "OTEL_DENO=false",
  "OTEL_DENO_METRICS=false",
  "OTEL_DENO_TRACING=false",
  "OTEL_DENO_CONSOLE=ignore",
  // The permission set of deno.json, and no questions about what it lacks.
  "-P",
  "--no-prompt",
  // Code comes from this folder and from what the lock file named; nothing is fetched at start or later.
  "--cached-only",
  "--deny-import",
];

Deno.test("every task that runs the program runs it in the sandbox", () => {
  const tasks = Object.entries(project.tasks).filter(([, { command }]) => /deno run .*main\.ts/.test(command));
  assert.ok(tasks.length >= 2);
  for (const [name, { command }] of tasks) {
    // A narrower set of its own is fine, too.
    const words = command.slice(0, command.indexOf("main.ts")).split(" ").map((word) => word.replace(/^-P=\w+$/, "-P"));
    assert.deepEqual(SWITCHES.filter((wanted) => !words.includes(wanted)), [], name);
    assert.deepEqual(words.filter((word) => /^(-[A-Z]|--allow-.*)$/.test(word) && word !== "-P"), [], name);
  }
});

Deno.test("the permission set of post is part of the program's own", () => {
  const { default: whole, post } = project.permissions;
  for (const kind of ["read", "write", "net"] as const) {
    assert.deepEqual(post[kind].filter((each) => !whole[kind].includes(each)), [], kind);
  }
  assert.deepEqual(post.env.allow.filter((each) => !whole.env.allow.includes(each)), []);
  assert.match(project.tasks.post.command, / -P=post .*main\.ts post$/);
});

Deno.test("every package is pinned to a version and to the hash of its bytes, and none may run a script", async () => {
  assert.deepEqual(project.lock, { path: "deno.lock", frozen: true });
  assert.deepEqual(project.allowScripts.allow, []);
  for (const target of Object.values(project.imports)) {
    assert.match(target, /^npm:(@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+(\/\w+)?$/);
  }
  const packages: Record<string, { integrity?: string }> =
    JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT))).npm;
  assert.ok(Object.keys(packages).length >= Object.keys(project.imports).length);
  for (const [name, { integrity }] of Object.entries(packages)) assert.match(integrity ?? "", /^sha512-/, name);
});

/** A program that asks for permissions, given as JSON on the command line, and prints the granted ones. */
const PROBE = `
  const states = await Promise.all(JSON.parse(Deno.args[0]).map((wanted) => Deno.permissions.query(wanted)));
  console.log(JSON.stringify(states.map(({ state }) => state === "granted")));
`;

/** Whether each permission is granted to a program under the project's own set. */
async function ask(wanted: readonly Deno.PermissionDescriptor[]): Promise<boolean[]> {
  const probe = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(probe, PROBE);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-P", "--no-prompt", "--deny-import", "--config", "deno.json", probe, JSON.stringify(wanted)],
      cwd: ROOT,
      env: { DENO_NO_UPDATE_CHECK: "1" },
    }).output();
    assert.notEqual(stdout.length, 0, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(probe);
  }
}

const HERE = fileURLToPath(ROOT);
const net = (...hosts: string[]) => hosts.map((host) => ({ name: "net", host }) as const);
const write = (...paths: string[]) => paths.map((path) => ({ name: "write", path: HERE + path }) as const);
const env = (...variables: string[]) => variables.map((variable) => ({ name: "env", variable }) as const);

Deno.test("the sandbox grants what the program needs", async () => {
  const wanted: Deno.PermissionDescriptor[] = [
    ...net("localhost", "127.0.0.1:11434", "[::1]:8000"),
    ...net("discord.com:443", "gateway.discord.gg:443", "cdn.discordapp.com:443"),
    ...net("api.groq.com:443", "generativelanguage.googleapis.com:443"),
    { name: "read", path: HERE },
    ...write("config/models.json", "data/django-agent.pid", ".env"),
    ...env("OLLAMA_HOST", "GROQ_API_KEY", "NO_PROXY", "no_proxy", "OTEL_DENO"),
    { name: "sys", kind: "statfs" },
  ];
  const granted = await ask(wanted);
  assert.deepEqual(wanted.filter((_, index) => !granted[index]), []);
});

Deno.test("the sandbox grants nothing else", async () => {
  const unwanted: Deno.PermissionDescriptor[] = [
    ...(["net", "read", "write", "env", "sys", "run", "ffi", "import"] as const).map((name) => ({ name })),
    ...net("example.com:443", "api.groq.com:80", "discord.com:80", "192.168.1.2:11434", "0.0.0.0:8000"),
    { name: "read", path: `${HERE}..` },
    ...write("main.ts", "src/app.ts", "deno.json", ".env.other"),
    ...env("PATH", "HOME", "AWS_SECRET_ACCESS_KEY"),
    { name: "sys", kind: "hostname" },
  ];
  const granted = await ask(unwanted);
  assert.deepEqual(unwanted.filter((_, index) => granted[index]), []);
});
