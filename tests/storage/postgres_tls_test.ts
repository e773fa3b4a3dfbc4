/** What sslmode and its companions do, by what the server says of the connection. */
import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import { SharedUsageError } from "../../src/storage/postgres_errors.ts";
import { type Cluster, postgresMissing, startCluster } from "../support/postgres.ts";
import { createFolder } from "../support/program.ts";
import { changed, connect, connectError, stored, until } from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";
import { variedRows } from "../support/usage_rows.ts";

const INSTANCE = "11111111-1111-4111-8111-111111111111";

let cluster: Cluster;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

interface Place {
  readonly url: string;
  readonly folder: string;
  /** PEM files: the server's own certificate, and one it has nothing to do with. */
  readonly trusted: string;
  readonly stranger: string;
}

/** A test with a database, and with certificates in files. */
function test(name: string, fn: (place: Place) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    async fn() {
      await using temporary = await createFolder();
      const folder = temporary.path;
      const [trusted, stranger] = [`${folder}/trusted.pem`, `${folder}/stranger.pem`];
      await Deno.writeTextFile(trusted, cluster.certificate);
      await createAuthority(folder, "stranger");
      await fn({ url: await cluster.createDatabase(), folder, trusted, stranger });
    },
  });
}

/** A certificate that signs itself: `NAME.pem` and `NAME.key`. */
async function createAuthority(folder: string, name: string): Promise<void> {
  await openssl(folder, [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`],
  ]);
}

async function openssl(cwd: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

interface Session {
  readonly ssl: boolean;
  readonly client_dn: string | null;
}

/** Connects and asks the server what it sees of the connection. */
async function sessionOf(url: string): Promise<Session> {
  const usage = await connect(url);
  try {
    const rows = await cluster.query<Session>(
      changed(url, { search: "" }),
      `SELECT ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'django-agent' AND datname = current_database()`,
    );
    assert.equal(rows.length, 1);
    return rows[0] ?? assert.fail();
  } finally {
    await usage.close();
  }
}

async function isEncrypted(url: string): Promise<boolean> {
  return (await sessionOf(url)).ssl;
}

async function assertRefused(url: string, message: RegExp, remedy: RegExp): Promise<void> {
  const error = await connectError(url);
  assert.ok(error instanceof SharedUsageError);
  assert.deepEqual([error.problem, error.exitCode], ["setup", EXIT.config]);
  assert.match(error.message, message);
  assert.match(error.remedy ?? "", remedy);
}

test("sslmode disable does not encrypt; prefer, the default, does where it can; require does", async ({ url }) => {
  assert.equal(await isEncrypted(`${url}?sslmode=disable`), false);
  assert.equal(await isEncrypted(url), true);
  for (const mode of ["allow", "prefer", "require"]) {
    assert.equal(await isEncrypted(`${url}?sslmode=${mode}`), true, mode);
  }
});

test("sslmode verify-ca and verify-full connect with the authority named in sslrootcert", async ({ url, trusted }) => {
  const localhost = changed(url, { host: `localhost:${cluster.port}` });
  for (const mode of ["verify-ca", "verify-full"]) {
    for (const host of [url, localhost]) {
      assert.equal(await isEncrypted(`${host}?sslmode=${mode}&sslrootcert=${trusted}`), true, mode);
    }
  }
});

test("a certificate of an unknown authority is refused by whoever verifies", async ({ url, stranger }) => {
  const refused = /its certificate is not accepted \([A-Z_]+\)$/;
  for (const mode of ["verify-ca", "verify-full"]) {
    await assertRefused(`${url}?sslmode=${mode}`, refused, /^Name the certificate of its authority with sslrootcert/);
    await assertRefused(`${url}?sslmode=${mode}&sslrootcert=${stranger}`, refused, /^Check sslrootcert/);
  }
  // Whoever names a root certificate wants it to count (PostgreSQL manual, "SSL Support").
  await assertRefused(`${url}?sslmode=require&sslrootcert=${stranger}`, refused, /^Check sslrootcert/);
});

test("a certificate for another name is refused by verify-full only", async ({ url, trusted }) => {
  await using proxy = await startTcpProxy(cluster.port, "127.0.0.2");
  const there = changed(url, { host: `127.0.0.2:${proxy.port}` });
  await assertRefused(
    `${there}?sslmode=verify-full&sslrootcert=${trusted}`,
    /its certificate is not accepted \(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
    /names the host as the certificate does/,
  );
  assert.equal(await isEncrypted(`${there}?sslmode=verify-ca&sslrootcert=${trusted}`), true);
});

test("a file that cannot be read is named by its option, and nothing is sent", async ({ url, folder, trusted }) => {
  const absent = `${folder}/absent.pem`;
  const cases = [
    ["sslrootcert", `sslrootcert=${absent}`],
    ["sslcert", `sslrootcert=${trusted}&sslcert=${absent}&sslkey=${trusted}`],
    ["sslkey", `sslrootcert=${trusted}&sslcert=${trusted}&sslkey=${absent}`],
  ];
  for (const [option, query] of cases) {
    const requests: string[] = [];
    const traffic = { sent: (origin: string) => void requests.push(origin), sentMore: () => {}, received: () => {} };
    const error = await connectError(`${url}?sslmode=verify-full&${query}`, { traffic });
    assert.equal(error.exitCode, EXIT.config);
    assert.equal(error.message, `Cannot read the file that ${option} in DATABASE_URL names`);
    assert.deepEqual(requests, []);
  }
});

test("without TLS at the server prefer goes on without, and whoever asks for TLS does not", async ({ url, trusted }) => {
  await switchTls(url, "off");
  try {
    assert.equal(await isEncrypted(url), false);
    for (const query of ["sslmode=require", `sslmode=verify-ca&sslrootcert=${trusted}`, "sslmode=verify-full"]) {
      await assertRefused(`${url}?${query}`, /it has no TLS, and DATABASE_URL asks for it$/, /set sslmode=prefer/);
    }
  } finally {
    await switchTls(url, "on");
  }
  assert.equal(await isEncrypted(url), true);
});

async function switchTls(url: string, state: "on" | "off"): Promise<void> {
  await cluster.query(url, `ALTER SYSTEM SET ssl = ${state}`);
  await reload(url);
  await until(async () => (await cluster.query(url, "SHOW ssl"))[0]?.ssl === state);
}

async function reload(url: string): Promise<void> {
  await cluster.query(url, "SELECT pg_reload_conf()");
}

test("sslcert and sslkey are shown to a server that asks for them", async ({ url, folder, stranger }) => {
  await openssl(folder, [
    ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=agent"],
    ...["-keyout", "agent.key", "-out", "agent.csr"],
  ]);
  await openssl(folder, [
    ...["x509", "-req", "-in", "agent.csr", "-CA", "stranger.pem", "-CAkey", "stranger.key"],
    ...["-CAcreateserial", "-days", "2", "-out", "agent.pem"],
  ]);
  const [settings] = await cluster.query<{ hba: string; data: string }>(
    url,
    "SELECT current_setting('hba_file') AS hba, current_setting('data_directory') AS data",
  );
  assert.ok(settings);
  const before = await Deno.readTextFile(settings.hba);
  await Deno.writeTextFile(`${settings.data}/clients.pem`, await Deno.readTextFile(stranger));
  await cluster.query(url, "ALTER SYSTEM SET ssl_ca_file = 'clients.pem'");
  const name = new URL(url).pathname.slice(1);
  await Deno.writeTextFile(settings.hba, `hostssl ${name} all all scram-sha-256 clientcert=verify-full\n${before}`);
  const shown = `${url}?sslmode=require&sslcert=${folder}/agent.pem&sslkey=${folder}/agent.key`;
  try {
    await reload(changed(url, { pathname: "/postgres" }));
    await until(() => isEncrypted(shown).catch(() => false));
    assert.deepEqual({ ...await sessionOf(shown) }, { ssl: true, client_dn: "/CN=agent" });
    const error = await connectError(`${url}?sslmode=require`);
    assert.equal(error.exitCode, EXIT.config);
    assert.match(error.message, /it does not let user "agent" in from here like this$/);
  } finally {
    await Deno.writeTextFile(settings.hba, before);
    await reload(changed(url, { pathname: "/postgres" }));
  }
});

test("what goes over an encrypted connection is counted", async ({ url }) => {
  const counts = { sent: 0, received: 0 };
  const traffic = {
    sent: () => {},
    sentMore: (_origin: string, bytes: number) => void (counts.sent += bytes),
    received: (_origin: string, bytes: number) => void (counts.received += bytes),
  };
  const usage = await connect(`${url}?sslmode=require`, { traffic });
  const before = { ...counts };
  assert.ok(before.sent > 100 && before.received > 100);
  const rows = stored(variedRows(100), INSTANCE);
  await usage.insert(rows);
  assert.ok(counts.sent - before.sent > JSON.stringify(rows).length);
  assert.ok(counts.received > before.received);
  await usage.close();
});
