/** What a connection that fails says, whatever is in the way of it. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type AgentError, EXIT } from "../../src/core/errors.ts";
import { SharedUsageError } from "../../src/storage/postgres_errors.ts";
import { projectPath, ROOT_FOLDER } from "../support/paths.ts";
import { type Cluster, PASSWORD, postgresMissing, startCluster } from "../support/postgres.ts";
import { changed, connect, connectError, until } from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";
import { startTcpServer } from "../support/tcp_server.ts";

/** For servers that are none: nothing needs PostgreSQL then. */
const URL_TEXT = `postgres://agent:${encodeURIComponent(PASSWORD)}@127.0.0.1:1/usage`;
const MODES = ["disable", "prefer", "require", "verify-full"] as const;
/** The server's willingness to encrypt. */
const YES = "S";

let cluster: Cluster;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

function assertProblem(error: AgentError, problem: "away" | "setup", message: RegExp, remedy: RegExp): void {
  assert.ok(error instanceof SharedUsageError, String(error));
  assert.deepEqual([error.problem, error.exitCode], [problem, problem === "away" ? EXIT.unavailable : EXIT.config]);
  assert.match(error.message, /^Cannot use the shared database postgres:\/\/[\w.]+:\d+: /);
  assert.match(error.message, message);
  assert.match(error.remedy ?? "", remedy);
}

Deno.test({
  name: "connectPostgres() tells a wrong password, user or database from a server that is away",
  ignore,
  async fn() {
    const url = await cluster.createDatabase();
    const wrong = changed(url, { password: encodeURIComponent(`${PASSWORD}?`) });
    assertProblem(
      await connectError(wrong),
      "setup",
      /does not accept user "agent" with that password$/,
      /user or password/,
    );
    assertProblem(await connectError(changed(url, { username: "nobody" })), "setup", /user "nobody"/, /DATABASE_URL/);
    assertProblem(await connectError(changed(url, { password: "" })), "setup", /user "agent"/, /DATABASE_URL/);
    assertProblem(
      await connectError(changed(url, { pathname: "/elsewhere" })),
      "setup",
      /it has no database "elsewhere"$/,
      /^Create it: createdb -O agent elsewhere$/,
    );
    await (await connect(url)).close();
  },
});

Deno.test("connectPostgres() calls a server away that refuses the connection, or whose name leads nowhere", async () => {
  for (const host of ["127.0.0.1:1", "localhost:1"]) {
    assertProblem(
      await connectError(changed(URL_TEXT, { host })),
      "away",
      /the connection was refused$/,
      /check that the server runs/,
    );
  }
  const nowhere = await connectError(changed(URL_TEXT, { host: "nowhere.invalid:5432" }));
  assertProblem(nowhere, "away", /its name leads nowhere$/, /Check the host/);
});

/** What answers in place of PostgreSQL, and what a connection says of it. */
const STRANGERS: readonly { name: string; serve: (socket: Socket) => void; modes?: readonly string[]; says: RegExp }[] =
  [
    {
      name: "speaks HTTP",
      serve: (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")),
      says: /what answers there is no PostgreSQL$/,
    },
    {
      name: "speaks HTTP and stays",
      serve: (socket) => socket.once("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
      says: /what answers there is no PostgreSQL$/,
    },
    {
      name: "speaks first",
      serve: (socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"),
      says: /what answers there is no PostgreSQL$/,
    },
    {
      name: "says more than it was asked before the encryption begins",
      serve: (socket) => socket.once("data", () => socket.write(`${YES}R\0\0\0\x08\0\0\0\0`)),
      modes: ["prefer", "require"],
      says: /what answers there is no PostgreSQL$/,
    },
    {
      name: "promises encryption and cannot do it",
      serve: (socket) => socket.once("data", () => socket.once("data", () => socket.write("not at all")).write(YES)),
      modes: ["prefer", "require", "verify-full"],
      says: /encrypting the connection failed \(ERR_SSL_\w+\)$/,
    },
  ];

for (const { name, serve, modes = MODES, says } of STRANGERS) {
  Deno.test(`connectPostgres() knows that nothing helps where somebody ${name}`, async () => {
    await using server = await startTcpServer(serve);
    for (const mode of modes) {
      const url = `${changed(URL_TEXT, { host: `127.0.0.1:${server.port}` })}?sslmode=${mode}`;
      assertProblem(await connectError(url), "setup", says, /DATABASE_URL/);
    }
    assert.equal(server.connections, modes.length, "asked once each");
  });
}

/** Ways to leave a client alone in the middle. */
const DESERTERS: readonly { name: string; serve: (socket: Socket) => void; modes?: readonly string[] }[] = [
  { name: "hangs up at once", serve: (socket) => socket.end() },
  { name: "hangs up when asked", serve: (socket) => socket.once("data", () => socket.end()) },
  { name: "drops the connection", serve: (socket) => socket.once("data", () => socket.resetAndDestroy()) },
  {
    name: "hangs up before the encryption begins",
    serve: (socket) => socket.once("data", () => socket.once("data", () => socket.end()).write(YES)),
    modes: ["prefer", "require", "verify-full"],
  },
];

for (const { name, serve, modes = MODES } of DESERTERS) {
  Deno.test(`connectPostgres() fails at once, after one connection, where somebody ${name}`, async () => {
    await using server = await startTcpServer(serve);
    for (const mode of modes) {
      const url = `${changed(URL_TEXT, { host: `127.0.0.1:${server.port}` })}?sslmode=${mode}`;
      // Waiting for the end of this time would say so.
      const error = await connectError(url, { timeoutMs: 20_000 });
      assertProblem(error, "away", /the connection ended \(\w+\)$/, /It is tried again/);
    }
    assert.equal(server.connections, modes.length);
  });
}

Deno.test("connectPostgres() waits for a silent server as long as it was told", async () => {
  const silences: ((socket: Socket) => void)[] = [
    () => {},
    (socket) => void socket.once("data", () => socket.write(YES)),
  ];
  for (const serve of silences) {
    await using server = await startTcpServer(serve);
    for (const mode of MODES) {
      const url = `${changed(URL_TEXT, { host: `127.0.0.1:${server.port}` })}?sslmode=${mode}`;
      if (mode === "disable" && serve !== silences[0]) continue;
      const error = await connectError(url, { timeoutMs: 60 });
      assertProblem(error, "away", /it did not answer in time$/, /It is tried again/);
      await until(() => server.open === 0); // it is hung up on
    }
  }
});

Deno.test("connectPostgres() ends with the signal although the server is silent", async () => {
  await using server = await startTcpServer(() => {});
  for (const mode of MODES) {
    const ending = new AbortController();
    const url = `${changed(URL_TEXT, { host: `127.0.0.1:${server.port}` })}?sslmode=${mode}`;
    const failing = connectError(url, { signal: ending.signal, timeoutMs: 600_000 });
    setTimeout(() => ending.abort(), 10);
    await failing;
    await until(() => server.open === 0);
  }
  const before = server.connections;
  await connectError(changed(URL_TEXT, { host: `127.0.0.1:${server.port}` }), { signal: AbortSignal.abort() });
  assert.equal(server.connections, before, "nothing is begun for somebody who has left");
});

/** Runs a connection in a sandbox that allows `net`. */
async function connectIn(net: string, url: string): Promise<Record<string, unknown>> {
  const script = projectPath("tests/storage/sandboxed_connect.ts");
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--cached-only", "--no-prompt", "--ignore-env"],
      ...[`--allow-read=${ROOT_FOLDER}`, `--allow-net=${net}`, script, url],
    ],
    cwd: ROOT_FOLDER,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(success, `it failed: ${err}`);
  assert.ok(!`${out}${err}`.includes(PASSWORD));
  return JSON.parse(out ?? "");
}

Deno.test({
  name: "connectPostgres() names the grant the sandbox lacks, sends and counts nothing, and connects with it",
  ignore,
  async fn() {
    const url = await cluster.createDatabase();
    const { message, remedy, exitCode, requests } = await connectIn("127.0.0.1:1", url);
    const address = `127.0.0.1:${cluster.port}`;
    assert.equal(exitCode, EXIT.permission);
    assert.equal(message, `The sandbox of this program does not allow connections to postgres://${address}`);
    assert.equal(
      remedy,
      `To allow it, add "${address}" to permissions.default.net in deno.json, or run with --allow-net=${address}.`,
    );
    assert.equal(requests, 0);
    assert.deepEqual(await connectIn(address, url), { requests: 1 });
  },
});
