import { createEventBus } from "../../src/core/events.ts";
import { type BookAttempt, createAccounting } from "../../src/router/accounting.ts";
import type { Router } from "../../src/router/router.ts";
import { parseDatabaseUrl } from "../../src/storage/database_url.ts";
import { connectPostgres } from "../../src/storage/postgres.ts";
import { Sender } from "../../src/storage/sender.ts";
import { localDayStarts } from "../../src/storage/summary.ts";
import { GROUPINGS, type UsageReader } from "../../src/storage/usage.ts";
import { createUsageBook } from "../../src/storage/usage_book.ts";
import { UsageTable } from "../../src/storage/usage_table.ts";
import { freePort } from "../support/free_port.ts";
import { type Cluster, postgresMissing, startCluster } from "../support/postgres.ts";
import { median } from "../support/statistics.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";
import { type Figure, spreadOf, spreadOfDifference } from "./measure.ts";
import { measureScaling } from "./scaling.ts";

const ROWS = 100_000;
const traffic = { sent() {}, sentMore() {}, received() {} };

/** Builds a router that books its attempts. */
export type MakeRouter = (book: BookAttempt) => Router;

/** Figures of the usage table: what keeping it costs a call, and how fast it is read and shared. */
export async function benchUsage(makeRouter: MakeRouter): Promise<Figure[]> {
  if (postgresMissing !== undefined) console.error("Left out: shared usage. It needs PostgreSQL and openssl.");
  const folder = await Deno.makeTempDir({ prefix: "django-agent-bench-" });
  const cluster = postgresMissing === undefined ? await startCluster() : undefined;
  try {
    const figures = [await benchBookkeeping(makeRouter, `${folder}/book`)];
    figures.push(await benchStoppedServer(makeRouter, folder));
    using table = fillTable(`${folder}/django.db`, ROWS);
    figures.push(await benchViews("this machine's", table));
    if (cluster) figures.push(...await benchShared(table, cluster));
    using small = fillTable(`${folder}/small.db`, ROWS / 100);
    using medium = fillTable(`${folder}/medium.db`, ROWS / 10);
    figures.push(...await benchScaling({ small, medium, table }));
    return figures;
  } finally {
    await cluster?.[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
}

/** One call after the other, alternately with and without a row in SQLite. */
async function benchBookkeeping(makeRouter: MakeRouter, dataDir: string): Promise<Figure> {
  await using usage = openBook(dataDir, undefined);
  const plain = makeRouter(() => {});
  const booked = makeRouter(bookInto(usage));
  const times = { plain: [] as number[], booked: [] as number[] };
  for (let round = -500; round < 3000; round++) {
    const turns = [["plain", plain], ["booked", booked]] as const;
    for (const [name, router] of round % 2 ? turns : turns.toReversed()) {
      const ms = await timeCall(router);
      if (round >= 0) times[name].push(ms);
    }
  }
  return {
    what: "bookkeeping added to a call",
    value: median(times.booked) - median(times.plain),
    unit: "ms",
    bound: { kind: "at most", value: 0.1 },
    direct: median(times.plain),
    spread: spreadOfDifference(times.booked, times.plain),
    note: `direct is a call without it; medians of ${times.plain.length}`,
  };
}

/** Answers a second at 32 callers, with no shared database and with one that is stopped, in turns. */
async function benchStoppedServer(makeRouter: MakeRouter, folder: string): Promise<Figure> {
  const stopped = parseDatabaseUrl(`postgres://nobody:nothing@127.0.0.1:${freePort()}/usage`);
  await using alone = openBook(`${folder}/alone`, undefined);
  await using sharing = openBook(`${folder}/sharing`, stopped);
  const routers = { alone: makeRouter(bookInto(alone)), sharing: makeRouter(bookInto(sharing)) };
  const rates = { alone: [] as number[], sharing: [] as number[] };
  for (let turn = -10; turn < 40; turn++) {
    for (const name of turn % 2 ? ["alone", "sharing"] as const : ["sharing", "alone"] as const) {
      const rate = await measureRate(routers[name]);
      if (turn >= 0) rates[name].push(rate);
    }
  }
  const change = Math.abs(median(rates.sharing) / median(rates.alone) - 1) * 100;
  return {
    what: "change of answers/s while PostgreSQL is stopped",
    value: change,
    unit: "%",
    bound: { kind: "at most", value: 5 },
    note: `${median(rates.sharing).toFixed(0)}/s with it, ${median(rates.alone).toFixed(0)}/s without DATABASE_URL`,
  };
}

async function measureRate(router: Router): Promise<number> {
  const calls = 640;
  let begun = 0;
  const startedAt = performance.now();
  const caller = async () => {
    while (begun++ < calls) await timeCall(router);
  };
  await Promise.all(Array.from({ length: 32 }, caller));
  return calls / (performance.now() - startedAt) * 1000;
}

async function timeCall(router: Router): Promise<number> {
  const startedAt = performance.now();
  await router.generate({ prompt: "Hola", max_tokens: 8 });
  return performance.now() - startedAt;
}

function openBook(dataDir: string, shared: Parameters<typeof createUsageBook>[0]["shared"]) {
  return createUsageBook({ dataDir, shared, traffic, warn: console.error, inform() {} });
}

function bookInto(usage: ReturnType<typeof openBook>): BookAttempt {
  return createAccounting({ record: usage.record, events: createEventBus({ onListenerError: console.error }) });
}

function fillTable(path: string, rows: number): UsageTable {
  const table = new UsageTable({ path, busyTimeoutMs: 0, onSetAside: console.error });
  table.insertAll(variedRows(rows));
  return table;
}

/** The slowest of the summaries, each the median of five. */
async function benchViews(whose: string, reader: UsageReader): Promise<Figure> {
  const dayStarts = localDayStarts(31);
  const views = [];
  for (const by of GROUPINGS) {
    const times = [];
    for (let round = 0; round < 5; round++) {
      const startedAt = performance.now();
      const { total } = await reader.summarize({ by, dayStarts });
      times.push(performance.now() - startedAt);
      if (total.calls !== ROWS) throw new Error(`${total.calls} rows were counted`);
    }
    views.push({ by, ms: median(times), spread: spreadOf(times) });
  }
  const [slowest] = views.toSorted((one, other) => other.ms - one.ms);
  return {
    what: `slowest view of ${whose} 100,000 rows`,
    value: slowest?.ms ?? NaN,
    unit: "ms",
    bound: { kind: "at most", value: 100 },
    spread: slowest?.spread ?? NaN,
    note: views.map(({ by, ms }) => `${by} ${ms.toFixed(0)}`).join(", "),
  };
}

async function benchShared(table: UsageTable, cluster: Cluster): Promise<Figure[]> {
  const target = parseDatabaseUrl(await cluster.createDatabase());
  const connect = (signal: AbortSignal) => connectPostgres({ target, traffic, signal, migrate: true });
  const sender = new Sender({ outbox: () => table, connect, warn: console.error, inform() {} });
  const startedAt = performance.now();
  sender.notify();
  await sender.stop(60_000);
  const seconds = (performance.now() - startedAt) / 1000;
  if (table.countUnshared() !== 0) throw new Error(`${table.countUnshared()} rows were not sent`);
  const shared = await connect(new AbortController().signal);
  const views = await benchViews("the shared", shared).finally(() => shared.close());
  return [
    {
      what: "catch-up to a local PostgreSQL",
      value: ROWS / seconds,
      unit: "rows/s",
      bound: { kind: "at least", value: 20_000 },
      note: `${ROWS} rows, connecting and creating the schema included; the server runs without fsync`,
    },
    views,
  ];
}

/** What reading and writing cost the more, the more rows there are. */
async function benchScaling({ small, medium, table }: Readonly<Record<"small" | "medium" | "table", UsageTable>>) {
  const sizes = [ROWS / 100, ROWS / 10, ROWS] as const;
  const tables = new Map([[sizes[0], small], [sizes[1], medium], [sizes[2], table]]);
  const dayStarts = localDayStarts(31);
  const timeIn = async (rows: number, work: (table: UsageTable) => unknown) => {
    const chosen = tables.get(rows);
    if (!chosen) throw new Error(`There is no table of ${rows} rows`);
    const startedAt = performance.now();
    await work(chosen);
    return performance.now() - startedAt;
  };
  const read = await measureScaling({
    what: "a view of 1,000 → 10,000 → 100,000 rows",
    sizes,
    costOf: "each",
    mostTimes: 1.5,
    sameWork: true,
    measure: (rows) => timeIn(rows, (table) => table.summarize({ by: "model", dayStarts })),
  });
  const written = await measureScaling({ // last, as it adds some
    what: "100 rows written where there are 1,000 → 10,000 → 100,000",
    sizes,
    costOf: "whole",
    mostTimes: 2,
    rounds: 9,
    measure: (rows) =>
      timeIn(rows, (table) => {
        for (let row = 0; row < 100; row++) table.insert(usageRow());
      }),
  });
  return [read, written];
}
