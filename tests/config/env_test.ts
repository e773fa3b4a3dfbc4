import assert from "node:assert/strict";
import { join } from "node:path";
import project from "../../deno.json" with { type: "json" };
import {
  ENVIRONMENT,
  exemptFromProxies,
  loadEnv,
  ollamaBaseUrl,
  proxyVariables,
  readTelemetry,
} from "../../src/config/env.ts";
import { AgentError, ConfigError, EXIT } from "../../src/core/errors.ts";
import { inNewFolder, rejection } from "./examples.ts";

/** Runs `work` with these variables set and every other one of the program's unset; puts all back afterwards. */
async function withEnvironment(
  variables: Partial<Record<typeof ENVIRONMENT[number], string>> & Record<string, string>,
  work: () => void | Promise<void>,
): Promise<void> {
  const names = new Set([...ENVIRONMENT, ...Object.keys(variables)]);
  const before = new Map([...names].map((name) => [name, Deno.env.get(name)]));
  try {
    for (const name of names) Deno.env.delete(name);
    for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
    await work();
  } finally {
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  }
}

/** What `loadEnv` makes of an `.env` with this text. */
async function loadText(text: string | Uint8Array): Promise<Awaited<ReturnType<typeof loadEnv>>> {
  let env: Awaited<ReturnType<typeof loadEnv>> | undefined;
  await inNewFolder(async (dir) => {
    const path = join(dir, ".env");
    await (typeof text === "string" ? Deno.writeTextFile(path, text) : Deno.writeFile(path, text));
    env = await loadEnv({ path });
  });
  assert(env);
  return env;
}

Deno.test("deno.json grants exactly the variables the program reads", () => {
  assert.deepEqual([...project.permissions.default.env.allow].sort(), [...ENVIRONMENT].sort());
});

Deno.test("loadEnv() takes the environment first, then .env", async () => {
  const env = await loadText("GROQ_API_KEY=from-file\nGEMINI_API_KEY=from-file\n");
  await withEnvironment({ GROQ_API_KEY: "from-environment" }, () => {
    assert.equal(env.get("GROQ_API_KEY"), "from-environment");
    assert.equal(env.get("GEMINI_API_KEY"), "from-file");
    assert.equal(env.get("DATABASE_URL"), undefined);
  });
});

Deno.test("loadEnv() counts an empty value as none, in either place", async () => {
  const env = await loadText("GROQ_API_KEY=from-file\nGEMINI_API_KEY=\nDATABASE_URL=''\n");
  await withEnvironment({ GROQ_API_KEY: "", GEMINI_API_KEY: "" }, () => {
    assert.equal(env.get("GROQ_API_KEY"), "from-file");
    assert.equal(env.get("GEMINI_API_KEY"), undefined);
    assert.equal(env.get("DATABASE_URL"), undefined);
  });
});

Deno.test("loadEnv() looks for other names in .env only", async () => {
  const env = await loadText("GROQ_API_KEY_2=second\n");
  await withEnvironment({ GROQ_API_KEY_2: "from-environment", SOMETHING_ELSE: "x" }, () => {
    assert.equal(env.get("GROQ_API_KEY_2"), "second");
    assert.equal(env.get("SOMETHING_ELSE"), undefined);
    assert.equal(env.get("constructor"), undefined);
  });
});

Deno.test("loadEnv() without a file has what the environment sets", async () => {
  await inNewFolder(async (dir) => {
    const env = await loadEnv({ path: join(dir, ".env") });
    await withEnvironment({ GROQ_API_KEY: "key" }, () => {
      assert.equal(env.get("GROQ_API_KEY"), "key");
      assert.equal(env.get("GEMINI_API_KEY"), undefined);
    });
  });
});

Deno.test({
  name: "loadEnv() counts a variable that the sandbox hides as not set",
  permissions: { read: true, write: true, env: [] },
  fn: async () => {
    const env = await loadText("GROQ_API_KEY=from-file\n");
    assert.equal(env.get("GROQ_API_KEY"), "from-file");
    assert.equal(env.get("GEMINI_API_KEY"), undefined);
  },
});

const LINES: readonly [string, string][] = [
  ["A=plain", "plain"],
  ["A = spaced  ", "spaced"],
  ["  export A=exported", "exported"],
  ["A=a b c", "a b c"],
  ["A=value # a comment", "value"],
  ["A=value#not-a-comment", "value#not-a-comment"],
  ["A=postgres://u:p@127.0.0.1:5432/db?x=1#y", "postgres://u:p@127.0.0.1:5432/db?x=1#y"],
  ['A="quoted # not a comment"  # a comment', "quoted # not a comment"],
  ["A='single \"inside\"'", 'single "inside"'],
  ['A="C:\\new $HOME ${X}"', "C:\\new $HOME ${X}"],
  ["A=$HOME", "$HOME"],
  ["A=it's", "it's"],
  ['A=" kept "', " kept "],
  ["A=first\nA=second", "second"],
  ["\uFEFFA=after-a-mark", "after-a-mark"],
  ["# A=no\r\n\r\n\tA=windows\r\n", "windows"],
  ["A=a=b==", "a=b=="],
];

for (const [text, value] of LINES) {
  Deno.test(`loadEnv() reads ${JSON.stringify(text)}`, async () =>
    assert.equal((await loadText(text)).get("A"), value));
}

const SECRET = "s3cr3t";

for (
  const [what, text, line, message] of [
    ["a line without =", `A=1\n${SECRET}\n`, 2, /not NAME=value/],
    ["a name with a dash", `\n\nA-${SECRET}=1`, 3, /not NAME=value/],
    ["a name that begins with a digit", `1A=${SECRET}`, 1, /not NAME=value/],
    ["a quote that is not closed", `A="${SECRET}`, 1, /value of A is malformed/],
    ["something after the closing quote", `A='${SECRET}' x`, 1, /value of A is malformed/],
    ["a control character", `A=${SECRET}\0`, 1, /value of A is malformed/],
    ["a value over two lines", `A="${SECRET}\nB"`, 1, /value of A is malformed/],
  ] as const
) {
  Deno.test(`loadEnv() refuses ${what} by its number, and never says what it holds`, async () => {
    const error = await rejection(loadText(text));
    assert(error instanceof ConfigError);
    assert.equal(error.exitCode, EXIT.config);
    assert.equal(error.problems[0]?.path, `line ${line}`);
    assert.match(error.problems[0]?.message ?? "", message);
    assert.match(error.message, /\.env/);
    assert(!error.message.includes(SECRET), error.message);
  });
}

Deno.test("loadEnv() reports every line that is wrong", async () => {
  const error = await rejection(loadText("A\nB=1\nC\n"));
  assert(error instanceof ConfigError);
  assert.deepEqual(error.problems.map(({ path }) => path), ["line 1", "line 3"]);
});

Deno.test("loadEnv() refuses an .env that is a folder, not UTF-8, or huge", async () => {
  await inNewFolder(async (dir) => {
    assert.match(String(await rejection(loadEnv({ path: dir }))), /It is a folder/);
  });
  assert.match(String(await rejection(loadText(new Uint8Array([0x41, 0x3d, 0xff])))), /not UTF-8/);
  assert.match(String(await rejection(loadText("#".repeat(1_100_000)))), /1 MiB is the most/);
});

Deno.test({
  name: "loadEnv() names the flag when the sandbox refuses the file",
  permissions: { read: ["./config"] },
  fn: async () => {
    const error = await rejection(loadEnv({ path: "/elsewhere/.env" }));
    assert(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.remedy ?? "", /--allow-read="\.\/,.*elsewhere.\.env"/);
  },
});

Deno.test("proxyVariables() names the variables that are set, not what they hold", async () => {
  await withEnvironment({ HTTP_PROXY: `http://u:${SECRET}@proxy:3128`, HTTPS_PROXY: "", NO_PROXY: "x" }, () => {
    assert.deepEqual(proxyVariables(), ["HTTP_PROXY"]);
  });
  await withEnvironment({}, () => assert.deepEqual(proxyVariables(), []));
});

Deno.test("exemptFromProxies() adds this machine to what was there", async () => {
  await withEnvironment({ NO_PROXY: "intranet, .example.com", no_proxy: "10.0.0.1" }, () => {
    assert.equal(exemptFromProxies(), true);
    const wanted = "intranet,.example.com,10.0.0.1,localhost,127.0.0.1,127.0.0.0/8,::1";
    assert.equal(Deno.env.get("NO_PROXY"), wanted);
    assert.equal(Deno.env.get("no_proxy"), wanted);
    assert.equal(exemptFromProxies(), true);
    assert.equal(Deno.env.get("NO_PROXY"), wanted);
  });
});

Deno.test({
  name: "exemptFromProxies() says so when the sandbox does not let it",
  permissions: { env: [] },
  fn: () => assert.equal(exemptFromProxies(), false),
});

Deno.test("exemptFromProxies() keeps requests to this machine away from a proxy", async () => {
  const proxied: string[] = [];
  const proxy = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    proxied.push(request.url);
    return new Response("proxied");
  });
  const target = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("direct"));
  const module = new URL("../../src/config/env.ts", import.meta.url).href;
  const script = `const { exemptFromProxies } = await import(${JSON.stringify(module)});
    const held = Deno.args[0] === "yes" && exemptFromProxies();
    const text = await (await fetch("http://127.0.0.1:${target.addr.port}/")).text();
    console.log(held, text);`;
  const run = async (exempt: string, allowed: string) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--no-check",
        "--ext=ts",
        "--ignore-env",
        `--allow-env=${allowed}`,
        "--allow-net",
        `data:text/typescript,${encodeURIComponent(script)}`,
        exempt,
      ],
      env: {
        HTTP_PROXY: `http://127.0.0.1:${proxy.addr.port}`,
        NO_PROXY: "",
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
      },
    }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  try {
    assert.equal(await run("no", "NO_PROXY,no_proxy"), "false proxied");
    assert.equal(await run("yes", "NO_PROXY,no_proxy"), "true direct");
    assert.equal(await run("yes", "NO_COLOR"), "false proxied");
    assert.equal(proxied.length, 2);
  } finally {
    await Promise.all([proxy.shutdown(), target.shutdown()]);
  }
});

const LOOPBACK = "http://127.0.0.1:4318";
const FOREIGN = "https://key@collector.example.com/v1?token=abc";

for (
  const [what, variables, enabled, endpoint] of [
    ["nothing", {}, false, null],
    ["an endpoint alone", { OTEL_EXPORTER_OTLP_ENDPOINT: FOREIGN }, false, "https://collector.example.com"],
    ["OTEL_DENO", { OTEL_DENO: "true" }, true, null],
    ["OTEL_DENO=false", { OTEL_DENO: "false" }, false, null],
    [
      "a foreign endpoint",
      { OTEL_DENO: "TRUE", OTEL_EXPORTER_OTLP_ENDPOINT: FOREIGN },
      true,
      "https://collector.example.com",
    ],
    ["an endpoint on this machine", { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: LOOPBACK }, true, LOOPBACK],
    ["metrics without OTEL_DENO", { OTEL_DENO: "false", OTEL_DENO_METRICS: "true" }, true, null],
    ["traces without OTEL_DENO", { OTEL_DENO_TRACING: "true" }, true, null],
    ["console text without OTEL_DENO", { OTEL_DENO_CONSOLE: "capture" }, true, null],
    ["replaced console text", { OTEL_DENO_CONSOLE: "replace" }, true, null],
    ["ignored console text", { OTEL_DENO_CONSOLE: "ignore" }, false, null],
    [
      "one foreign endpoint among local ones",
      { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: LOOPBACK, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: FOREIGN },
      true,
      "https://collector.example.com",
    ],
    [
      "an endpoint that is no address",
      { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" },
      true,
      "(an address that cannot be read)",
    ],
    [
      "a socket of the host machine",
      { OTEL_DENO: "true", OTEL_DENO_VSOCK: "2:4318" },
      true,
      "(an address that cannot be read)",
    ],
  ] as const
) {
  Deno.test(`readTelemetry() with ${what}`, async () => {
    await withEnvironment({ ...variables }, () => assert.deepEqual(readTelemetry(), { enabled, endpoint }));
  });
}

const HOSTS: readonly [string, string][] = [
  ["", "http://127.0.0.1:11434"],
  ["127.0.0.1", "http://127.0.0.1:11434"],
  ["0.0.0.0", "http://127.0.0.1:11434"],
  ["0.0.0.0:8080", "http://127.0.0.1:8080"],
  [":8080", "http://127.0.0.1:8080"],
  ["localhost", "http://localhost:11434"],
  ["nas.local:80", "http://nas.local"],
  ["192.168.1.20", "http://192.168.1.20:11434"],
  ["192.168.1.20:11500/", "http://192.168.1.20:11500"],
  ["::1", "http://[::1]:11434"],
  ["[::1]", "http://[::1]:11434"],
  ["[::1]:8080", "http://[::1]:8080"],
  ["::", "http://[::1]:11434"],
  ["[::]:8080", "http://[::1]:8080"],
  ["fd00::20", "http://[fd00::20]:11434"],
  ["http://127.0.0.1:11434/", "http://127.0.0.1:11434"],
  ["http://nas", "http://nas"],
  ["https://nas.local", "https://nas.local"],
  ["http://0.0.0.0:11434", "http://127.0.0.1:11434"],
  [' "127.0.0.1:9000" ', "http://127.0.0.1:9000"],
];

for (const [value, url] of HOSTS) {
  Deno.test(`ollamaBaseUrl() reads ${JSON.stringify(value)} as ${url}`, () => assert.equal(ollamaBaseUrl(value), url));
}

for (
  const [value, message] of [
    ["https://ollama.com", /ollama\.com is neither this machine nor/],
    ["example.com:11434", /example\.com:11434 is neither/],
    [`http://user:${SECRET}@127.0.0.1`, /user name or password/],
    [`user:${SECRET}@127.0.0.1`, /user name or password|not an address/],
    ["ftp://127.0.0.1", /scheme ftp:/],
    ["127.0.0.1:99999", /not an address/],
    ["127.0.0.1:11434/api", /goes on after host and port/],
    ["not a host", /not an address/],
    ["1:2:3:nonsense", /not an address/],
  ] as const
) {
  Deno.test(`ollamaBaseUrl() refuses ${JSON.stringify(value)}`, () => {
    assert.throws(() => ollamaBaseUrl(value), (error) => {
      assert(error instanceof AgentError);
      assert.equal(error.exitCode, EXIT.config);
      assert.match(error.message, /^Cannot use OLLAMA_HOST: /);
      assert.match(error.message, message);
      assert(error.remedy);
      return !`${error.message} ${error.remedy}`.includes(SECRET);
    });
  });
}
