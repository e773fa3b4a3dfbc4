import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { type DatabaseTarget, parseDatabaseUrl } from "../../src/storage/database_url.ts";

/** What no message may hold a piece of. */
const SECRET = "hunter2";

const PLAIN: DatabaseTarget = {
  host: "127.0.0.1",
  port: 5432,
  user: "agent",
  password: SECRET,
  database: "usage",
  tls: { mode: "prefer", rootCert: undefined, cert: undefined, key: undefined },
  address: "127.0.0.1:5432",
  origin: "postgres://127.0.0.1:5432",
  local: true,
};

/** A target that differs from the plain one; host and port show in its address and origin too. */
function target(change: Partial<Omit<DatabaseTarget, "tls">> & { readonly tls?: Partial<DatabaseTarget["tls"]> }) {
  const merged = { ...PLAIN, ...change, tls: { ...PLAIN.tls, ...change.tls } };
  const { host, port } = merged;
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { ...merged, address, origin: `postgres://${address}` };
}

/** Asserts that a URL is refused, with a remedy, and that no word about it shows a piece of the password. */
function assertRefused(text: string, says: RegExp): void {
  assert.throws(() => parseDatabaseUrl(text), (error) => {
    assert.ok(error instanceof AgentError, String(error));
    assert.match(error.message, /^Cannot use DATABASE_URL: /);
    assert.match(error.message, says);
    assert.equal(error.exitCode, EXIT.config);
    assert.notEqual(error.remedy ?? "", "");
    const shown = Deno.inspect(error, { depth: 10 }) + JSON.stringify(error) + error.remedy;
    for (const piece of [SECRET, "hunter", "unter2"]) assert.ok(!shown.toLowerCase().includes(piece), shown);
    return true;
  });
}

Deno.test("parseDatabaseUrl() reads every part of the address", async (t) => {
  const cases: Record<string, ReturnType<typeof target>> = {
    [`postgres://agent:${SECRET}@127.0.0.1:5432/usage`]: PLAIN,
    [`postgresql://agent:${SECRET}@127.0.0.1/usage`]: PLAIN,
    [`POSTGRES://agent:${SECRET}@127.0.0.1/usage`]: PLAIN,
    [`  postgres://agent:${SECRET}@127.0.0.1/usage\n`]: PLAIN,
    [`postgres://agent:${SECRET}@DB.Example.ORG:6543/usage`]: target({
      host: "db.example.org",
      port: 6543,
      local: false,
    }),
    [`postgres://agent:${SECRET}@[::1]:5433/usage`]: target({ host: "::1", port: 5433 }),
    [`postgres://agent:${SECRET}@[2001:DB8::1]/usage`]: target({ host: "2001:db8::1", local: false }),
    [`postgres://agent:${SECRET}@localhost/usage`]: target({ host: "localhost" }),
    [`postgres://agent:${SECRET}@nas/usage`]: target({ host: "nas" }),
    [`postgres://agent:${SECRET}@192.168.1.20/usage`]: target({ host: "192.168.1.20" }),
    [`postgres://agent:${SECRET}@8.8.8.8/usage`]: target({ host: "8.8.8.8", local: false }),
    "postgres://agent@127.0.0.1": target({ password: "", database: "agent" }),
    [`postgres://agent:${SECRET}@127.0.0.1/`]: target({ database: "agent" }),
    [`postgres://agent:${SECRET}@127.0.0.1/my%20usage%2Ftable`]: target({ database: "my usage/table" }),
    "postgres://a%40b:p%40ss%2Fw%3A%23%3F%25%20d@127.0.0.1/usage": target({ user: "a@b", password: "p@ss/w:#?% d" }),
    "postgres://agent:p@ss:w0rd@127.0.0.1/usage": target({ password: "p@ss:w0rd" }),
    "postgres://agent:back\\slash^@127.0.0.1/usage": target({ password: "back\\slash^" }),
    "postgres://agent:contraseña🦤@127.0.0.1/usage": target({ password: "contraseña🦤" }),
  };
  for (const [text, expected] of Object.entries(cases)) {
    await t.step(text.trim(), () => assert.deepEqual(parseDatabaseUrl(text), expected));
  }
});

Deno.test("parseDatabaseUrl() takes a host for what it will be looked up as", async (t) => {
  const cases: [string, Partial<DatabaseTarget>][] = [
    ["0x08080808", { host: "8.8.8.8", local: false }], // none of these is the name of a machine nearby
    ["134744072", { host: "8.8.8.8", local: false }],
    ["010.8.8.8", { host: "8.8.8.8", local: false }],
    ["0x7f000001", { host: "127.0.0.1", local: true }],
    ["127.1", { host: "127.0.0.1", local: true }],
    ["localhost.", { host: "localhost.", local: false }],
    ["[::ffff:8.8.8.8]", { host: "::ffff:808:808", local: false }],
  ];
  for (const [host, { host: expected, local }] of cases) {
    await t.step(host, () => {
      const found = parseDatabaseUrl(`postgres://agent:${SECRET}@${host}/usage`);
      assert.deepEqual([found.host, found.local], [expected, local]);
      const bracketed = expected?.includes(":") ? `[${expected}]` : expected;
      assert.deepEqual([found.address, found.origin], [`${bracketed}:5432`, `postgres://${bracketed}:5432`]);
    });
  }
});

Deno.test("parseDatabaseUrl() reads how the connection is to be encrypted, as libpq does", async (t) => {
  const files = { rootCert: "/etc/root ca.pem", cert: "client.pem", key: "client.key" };
  const cases: Record<string, Partial<DatabaseTarget["tls"]>> = {
    "": { mode: "prefer" },
    "?": { mode: "prefer" },
    "?sslmode=disable": { mode: "disable" },
    "?sslmode=allow": { mode: "prefer" },
    "?sslmode=prefer": { mode: "prefer" },
    "?sslmode=require": { mode: "require" },
    "?sslmode=verify-ca": { mode: "verify-ca" },
    "?sslmode=verify-full": { mode: "verify-full" },
    "?sslmode=require&sslrootcert=/etc/root%20ca.pem": { mode: "verify-ca", rootCert: files.rootCert },
    "?sslmode=prefer&sslrootcert=/etc/root%20ca.pem": { mode: "prefer", rootCert: files.rootCert },
    "?sslmode=allow&sslrootcert=/etc/root%20ca.pem": { mode: "prefer", rootCert: files.rootCert },
    "?sslmode=verify-full&sslrootcert=/etc/root%20ca.pem&sslcert=client.pem&sslkey=client.key": {
      mode: "verify-full",
      ...files,
    },
    "?sslcert=client.pem&sslkey=client.key": { mode: "prefer", cert: files.cert, key: files.key },
  };
  for (const [query, tls] of Object.entries(cases)) {
    await t.step(query || "nothing said", () => {
      const found = parseDatabaseUrl(`postgres://agent:${SECRET}@127.0.0.1/usage${query}`);
      assert.deepEqual(found, target({ tls }));
    });
  }
});

Deno.test("parseDatabaseUrl() refuses what it cannot use, and never shows a piece of the password", async (t) => {
  const cases: [string, RegExp][] = [
    ["", /it is not an address/],
    [SECRET, /it is not an address/],
    [`agent:${SECRET}@127.0.0.1/usage`, /it has no scheme/],
    [`${SECRET}:5432/usage`, /it has no scheme/],
    [`mysql://agent:${SECRET}@127.0.0.1/usage`, /the scheme mysql:\/\/ is not PostgreSQL's/],
    [`https://agent:${SECRET}@127.0.0.1/usage`, /the scheme https:\/\/ is not PostgreSQL's/],
    [`postgres:agent:${SECRET}@127.0.0.1`, /./],
    ["postgres:///usage", /it does not name one host/],
    [`postgres://agent:${SECRET}@/usage?host=/run/postgresql`, /it is not an address/],
    [`postgres://agent:${SECRET}@%2Frun%2Fpostgresql/usage`, /it does not name one host/],
    [`postgres://agent:${SECRET}@one,two/usage`, /it does not name one host/],
    [`postgres://agent:${SECRET}@one:1,two:2/usage`, /it is not an address/],
    [`postgres://agent:${SECRET}@1.2.3.4.5/usage`, /it does not name one host/],
    [`postgres://agent:${SECRET}@host:0/usage`, /nothing can listen on port 0/],
    [`postgres://agent:${SECRET}@host:65536/usage`, /it is not an address/],
    [`postgres://agent:${SECRET}@host:port/usage`, /it is not an address/],
    ["postgres://127.0.0.1/usage", /it names no user/],
    [`postgres://:${SECRET}@127.0.0.1/usage`, /it names no user/],
    [`postgres://agent:${SECRET}@127.0.0.1/usage#part`, /it holds a #/],
    [`postgres://agent:100%${SECRET}@127.0.0.1/usage`, /a % in it does not begin a code/],
    [`postgres://agent:${SECRET}%zz@127.0.0.1/usage`, /a % in it does not begin a code/],
    [`postgres://agent:${SECRET}@127.0.0.1/us%age`, /a % in it does not begin a code/],
    [`postgres://agent:${SECRET}@127.0.0.1/usage?sslmode=always`, /sslmode has a value that does not exist/],
    [`postgres://agent:${SECRET}@127.0.0.1/usage?sslmode=`, /sslmode has a value that does not exist/],
    [`postgres://agent@127.0.0.1/usage?sslmode=${SECRET}`, /sslmode has a value that does not exist/],
    [`postgres://agent@127.0.0.1/usage?password=${SECRET}`, /the option password is not supported/],
    [`postgres://agent:${SECRET}@127.0.0.1/usage?connect_timeout=10`, /the option connect_timeout is not supported/],
    [`postgres://agent:${SECRET}@127.0.0.1/usage?sslcert=a.pem`, /sslcert and sslkey belong together/],
    [`postgres://agent:${SECRET}@127.0.0.1/usage?sslkey=a.key`, /sslcert and sslkey belong together/],
  ];
  for (const [text, says] of cases) await t.step(text || "nothing", () => assertRefused(text, says));
});

Deno.test("parseDatabaseUrl() refuses a password whose signs are not encoded, wherever it was torn", async (t) => {
  const passwords = [
    `${SECRET}/x`,
    `12/${SECRET}`,
    `${SECRET}?x`,
    `12?${SECRET}`,
    `${SECRET}#x`,
    `12#${SECRET}`,
    `x@${SECRET}/y`,
    `x@y/${SECRET}`,
    `x@y?${SECRET}`,
    `x@y?${SECRET}=z`,
    `x@y?sslmode=${SECRET}`,
    `x@y#${SECRET}`,
    `x@${SECRET}:1/z`,
    `x@y:1/${SECRET}?z`,
    `${SECRET}%`,
    `[${SECRET}]/`,
  ];
  for (const password of passwords) {
    for (const host of ["127.0.0.1", "db.example.org:6543"]) {
      const text = `postgres://agent:${password}@${host}/usage?sslmode=require`;
      await t.step(text, () => assertRefused(text, /./));
    }
  }
});
