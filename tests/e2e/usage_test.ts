import assert from "node:assert/strict";
import { UsageTable } from "../../src/storage/usage_table.ts";
import { type Cluster, PASSWORD, postgresMissing, startCluster } from "../support/postgres.ts";
import type { RunOptions } from "../support/program.ts";
import { skipped } from "../support/skipped.ts";
import { usageRow } from "../support/usage_rows.ts";
import { createWorld, KEYS, type World } from "./setup.ts";

const ignore = skipped(postgresMissing);

const OPEN = ["--cloud", "--profile", "balanced"];

/** What `usage` prints as JSON. */
interface Summary {
  readonly source: string;
  readonly by: string;
  readonly groups: readonly Group[];
  readonly total: Group;
}

type Group = Readonly<Record<"key" | "calls" | "ok" | "failed" | "fallbacks" | "input_tokens" | "cost_usd", unknown>>;

async function summaryOf(world: World, args: readonly string[], options: Partial<RunOptions> = {}): Promise<Summary> {
  const { code, stdout, stderr } = await world.run(["usage", "--json", ...args], options);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

function brief({ groups }: Summary) {
  return groups.map(({ key, calls, ok, failed, fallbacks, cost_usd }) => ({
    key,
    calls,
    ok,
    failed,
    fallbacks,
    cost_usd,
  }));
}

/** Puts rows into the table of a world, as if they had been recorded. */
async function record(world: World, ...changes: Parameters<typeof usageRow>[0][]): Promise<void> {
  await Deno.mkdir(`${world.folder}/data`, { recursive: true });
  using table = new UsageTable({
    path: `${world.folder}/data/django.db`,
    busyTimeoutMs: 1000,
    onSetAside: () => assert.fail("damaged"),
  });
  table.insertAll(changes.map((change) => usageRow(change)));
}

Deno.test("usage counts what was asked: answers, failures, fallbacks, tokens and cost", async () => {
  await using world = await createWorld();
  assert.equal((await world.run(["ask", "hi"])).code, 0);
  world.ollama.next({ kind: "status", status: 400, body: "no" });
  assert.equal((await world.run(["ask", "hi"])).code, 65);
  world.ollama.always({ kind: "status", status: 404, body: '{"error":"model \\"llama3.2\\" not found"}' });
  const { code, stdout } = await world.run(["ask", "hi", "--json", ...OPEN]);
  const { cost_usd, usage } = JSON.parse(stdout);
  assert.deepEqual([code, typeof cost_usd], [0, "number"]);

  const byProvider = await summaryOf(world, ["--by", "provider"]);
  const [groq, ollama] = brief(byProvider).toSorted((a, b) => String(a.key) < String(b.key) ? -1 : 1);
  assert.deepEqual(groq, {
    key: "groq",
    calls: 1,
    ok: 1,
    failed: 0,
    fallbacks: 1,
    cost_usd: Number(cost_usd.toFixed(10)),
  });
  assert.deepEqual(ollama, { key: "ollama", calls: 3, ok: 1, failed: 2, fallbacks: 0, cost_usd: 0 });
  assert.equal(byProvider.groups.find(({ key }) => key === "groq")?.input_tokens, usage.input);
  assert.deepEqual(
    brief(await summaryOf(world, ["--by", "outcome"])).map(({ key, calls }) => `${key} ${calls}`).sort(),
    ["failed 2", "ok 2"],
  );
  const { groups: [today], total } = await summaryOf(world, ["--days", "1"]);
  assert.deepEqual({ ...today, key: "total" }, total);
});

Deno.test("usage shows a table and a bar a day, and nothing but that on stdout", async () => {
  await using world = await createWorld();
  const before = await world.run(["usage"]);
  assert.match(before.stdout, /^No model has been asked since \d{4}-\d\d-\d\d\n$/);
  await record(world, { at_ms: Date.now() - 2 * 86_400_000, total_tokens: 500 }, { total_tokens: 1000 });
  const { code, stdout, stderr } = await world.run(["usage", "--days", "7"]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 5, stdout); // heading, three days of which one is empty, total
  assert.deepEqual(lines.slice(1, 4).map((line) => /█*$/.exec(line)?.[0].length), [10, 0, 20]);
});

Deno.test("usage --csv and usage export print CSV, and with --json one JSON document", async () => {
  await using world = await createWorld();
  await record(world, { conversation_id: 'a,"b"' }, {
    model: "small",
    cost_usd: null,
    at_ms: Date.now() - 3 * 86_400_000,
  });
  const csv = (await world.run(["usage", "--csv", "--by", "model"])).stdout.trimEnd().split("\r\n");
  assert.deepEqual(csv.map((line) => line.split(",", 2).join(",")), [
    "model,calls",
    "ollama/llama3.2,1",
    "ollama/small,1",
  ]);
  const exported = (await world.run(["usage", "export"])).stdout.trimEnd().split("\r\n");
  assert.equal(exported.length, 3);
  assert.match(exported.find((line) => line.includes("llama3.2")) ?? "", /,"a,""b""",identity_core,/);
  const all = JSON.parse((await world.run(["usage", "export", "--json"])).stdout);
  assert.deepEqual(all.map(({ model }: { model: string }) => model).sort(), ["llama3.2", "small"]);
  const recent = JSON.parse((await world.run(["usage", "export", "--json", "--days", "2"])).stdout);
  assert.deepEqual([recent.length, recent[0].conversation_id, recent[0].fallback], [1, 'a,"b"', false]);
  await using empty = await createWorld();
  assert.equal((await empty.run(["usage", "export", "--json"])).stdout, "[]\n");
});

Deno.test("usage prune deletes what is old enough and nothing else", async () => {
  await using world = await createWorld();
  const day = 86_400_000;
  await record(world, { at_ms: Date.now() - 500 * day }, { at_ms: Date.now() - 401.5 * day }, {
    at_ms: Date.now() - 399 * day,
  });
  const pruned = await world.run(["usage", "prune", "--older-than", "400d"]);
  assert.match(pruned.stdout, /^2 rows from before \d{4}-\d\d-\d\d deleted\n$/);
  assert.equal((await summaryOf(world, ["--days", "600"])).total.calls, 1);
  const again = await world.run(["usage", "prune", "--older-than", "400d", "--json"]);
  assert.deepEqual([JSON.parse(again.stdout).deleted, JSON.parse(again.stdout).kept], [0, 0]);
});

Deno.test("usage refuses what it cannot understand, with exit 64 and without touching anything", async () => {
  await using world = await createWorld();
  const wrong = [
    ["--days", "0"],
    ["--days", "1.5"],
    ["--days", "99999"],
    ["--by", "week"],
    ["--json", "--csv"],
    ["prune"],
    ["prune", "--older-than", "400"],
    ["prune", "--older-than", "-1d"],
    ["export", "--days", "x"],
    ["import"],
  ];
  for (const args of wrong) {
    const { code, stderr } = await world.run(["usage", ...args]);
    assert.equal(code, 64, args.join(" "));
    assert.match(stderr, /error: /);
  }
  await assert.rejects(Deno.stat(`${world.folder}/data`), Deno.errors.NotFound);
});

Deno.test("usage works although models.json does not", async () => {
  await using world = await createWorld();
  await record(world, {});
  await Deno.writeTextFile(`${world.folder}/config/models.json`, "{ broken");
  assert.equal((await summaryOf(world, [])).total.calls, 1);
});

Deno.test("without a shared database --shared says how to get one, and one that cannot be used why", async () => {
  await using world = await createWorld();
  const run = (url: string, ...args: string[]) => world.run([...args], { env: { ...KEYS, DATABASE_URL: url } });
  const cases = [
    { url: "", code: 78, says: /There is no shared database.*\n→ Set DATABASE_URL=/s, warns: false },
    { url: "mysql://u:SECRET@127.0.0.1/x", code: 78, says: /scheme mysql/, warns: true },
    {
      url: "postgres://u:SECRET@db.example.com/x",
      code: 77,
      says: /outside this network\n→ Start with --cloud/,
      warns: true,
    },
    {
      url: "postgres://u:SECRET@192.168.77.1/x",
      code: 77,
      says: /add "192\.168\.77\.1:5432" to permissions/,
      warns: true,
    },
    { url: "postgres://u:SECRET@127.0.0.1:1/x", code: 69, says: /refused/, warns: false }, // it may come back
  ];
  for (const { url, code, says, warns } of cases) {
    const shared = await run(url, "usage", "--shared");
    assert.equal(shared.code, code, url);
    assert.match(shared.stderr, says);
    assert.ok(!`${shared.stdout}${shared.stderr}`.includes("SECRET"), url);
    const asked = await run(url, "ask", "hi");
    assert.deepEqual([asked.code, asked.stdout], [0, "Hola, soy Django."], url);
    assert.ok(!asked.stderr.includes("SECRET"), url);
    assert.equal(/warn .*usage is kept (here|on this machine)/.test(asked.stderr), warns, `${url}: ${asked.stderr}`);
  }
  assert.equal((await summaryOf(world, [])).total.calls, cases.length);
});

Deno.test({
  name: "a DATABASE_URL shares every row before the program ends, and shows it in usage, privacy and doctor",
  ignore,
  fn: async () => {
    await using cluster = await startCluster();
    await using world = await createWorld();
    const url = await cluster.createDatabase();
    const env = { ...KEYS, DATABASE_URL: url };
    for (const prompt of ["one", "two"]) {
      const { code, stderr } = await world.run(["ask", prompt], { env });
      assert.equal(code, 0, stderr);
    }
    const [counted] = await cluster.query(url, "SELECT count(*)::int AS rows FROM token_usage");
    assert.deepEqual(counted, { rows: 2 });
    const shared = await summaryOf(world, ["--shared"], { env });
    const local = await summaryOf(world, [], { env });
    assert.deepEqual({ ...shared, source: "" }, { ...local, source: "" });
    assert.deepEqual([shared.source, local.source, local.total.calls], ["shared", "local", 2]);
    await showsTheServer(world, cluster, env);
  },
});

Deno.test({
  name: "usage prune on a machine that shares leaves what has not arrived, without DATABASE_URL too, unless told to",
  ignore,
  fn: async () => {
    await using cluster = await startCluster();
    await using world = await createWorld();
    const env = { ...KEYS, DATABASE_URL: await cluster.createDatabase() };
    assert.equal((await world.run(["ask", "shared"], { env })).code, 0);
    await record(world, { at_ms: Date.now() - 10 * 86_400_000 });
    const prune = async (...args: string[]) =>
      (await world.run(["usage", "prune", "--older-than", "3d", ...args])).stdout;
    assert.match(await prune(), /^0 rows .* deleted\n1 row of that age kept: no shared database has confirmed them/);
    assert.match(await prune("--unshared"), /^1 row .* deleted\n$/);
  },
});

async function showsTheServer(world: World, cluster: Cluster, env: Record<string, string>): Promise<void> {
  const origin = `postgres://127.0.0.1:${cluster.port}`;
  const { usage, egress } = JSON.parse((await world.run(["privacy", "--json"], { env })).stdout);
  assert.deepEqual(usage, { file: "./data/django.db", shared: origin, problem: null });
  const entry = egress.find((known: { origin: string }) => known.origin === origin);
  assert.ok(entry.local && entry.sent_bytes > 500 && entry.received_bytes > 100, JSON.stringify(entry));
  const healthy = await world.run(["doctor"], { env });
  assert.match(healthy.stdout, new RegExp(`ok .* shared usage: ${origin} can be used; everything has been sent`));
  await cluster.stop("fast");
  const { code, stderr } = await world.run(["ask", "three"], { env });
  assert.equal(code, 0, stderr);
  const waiting = await world.run(["usage"], { env });
  assert.match(waiting.stderr, new RegExp(`note: 1 row has not been sent to ${origin} yet`));
  const sick = await world.run(["doctor"], { env });
  assert.match(sick.stdout, /! warn {2}shared usage: .*the connection was refused/);
  const everything = [healthy, waiting, sick].map(({ stdout, stderr }) => stdout + stderr).join("");
  assert.ok(!everything.includes(PASSWORD) && !everything.includes(encodeURIComponent(PASSWORD)));
}
