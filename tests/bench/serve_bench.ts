import { startFakeOllama } from "../support/fake_ollama.ts";
import { configFor } from "../support/fast_provider.ts";
import { startScriptServer } from "../support/script.ts";
import { median } from "../support/statistics.ts";
import { sampleVitals } from "../support/vitals.ts";
import { MEMORY_RISE_MB } from "./bounds.ts";
import { canLoad, load } from "./load.ts";
import { type Figure, spreadOf, spreadOfDifference } from "./measure.ts";
import { measureScaling } from "./scaling.ts";
import { programCommand } from "./program.ts";

const ROUNDS = 7;
const MESSAGES = [{ role: "user", content: "Hola" }];
const TOKENS = 8;
/** The same question to the endpoint and to the fake provider itself. */
const ROUTED = { path: "/v1/chat/completions", body: { model: "auto", messages: MESSAGES, max_tokens: TOKENS } };
const DIRECT = {
  path: "/api/chat",
  body: { model: "bench", messages: MESSAGES, stream: true, options: { num_predict: TOKENS } },
};
const REQUESTS = 100_000;
const READERS = 1000;

interface Served extends AsyncDisposable {
  readonly origin: string;
  readonly pid: number;
  /** From the start of the process to its first answer. */
  readonly readyMs: number;
}

/** Figures of `serve` as a process of its own; the fake provider is a third one. */
export async function benchServe(provider: string): Promise<Figure[]> {
  const figures: Figure[] = [await benchReady(provider), await benchHangUp()];
  await using served = await serve(provider);
  figures.push(
    await benchFirstToken(provider, served),
    await benchScaling(provider, served),
    ...await benchReaders(served),
  );
  if (await canLoad()) figures.push(...await benchLoad(provider, served));
  else console.error("Left out: latency, throughput and memory under load. They need wrk (apt-get install wrk).");
  return figures;
}

async function serve(provider: string): Promise<Served> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/models.json`, JSON.stringify(configFor(provider)));
  const startedAt = performance.now();
  const args = ["--config", folder, "--data", `${folder}/data`, "serve", "--port", "0"];
  const child = programCommand(args, { folder }).spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream());
  let told = "";
  let origin: string | undefined;
  for await (const piece of lines.values({ preventCancel: true })) {
    told += piece;
    origin = /at (http:\/\/127\.0\.0\.1:\d+)/.exec(told)?.[1];
    if (origin !== undefined) break;
  }
  if (origin === undefined) throw new Error(`serve did not start: ${told}`);
  await (await fetch(`${origin}/health`)).text();
  const readyMs = performance.now() - startedAt;
  const rest = lines.pipeTo(new WritableStream()); // a pipe that nobody empties would stop the program
  return {
    origin,
    pid: child.pid,
    readyMs,
    async [Symbol.asyncDispose]() {
      child.kill();
      await Promise.all([child.status, rest]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function benchReady(provider: string): Promise<Figure> {
  const times: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    await using served = await serve(provider);
    if (round >= 0) times.push(served.readyMs);
  }
  return {
    what: "serve, start to its first answer",
    value: median(times),
    unit: "ms",
    bound: { kind: "at most", value: 400 },
    spread: spreadOf(times),
    note: `warm; median of ${times.length}`,
  };
}

async function post(origin: string, { path, body }: typeof ROUTED | typeof DIRECT, more: object = {}) {
  const response = await fetch(origin + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, ...more }),
  });
  if (!response.ok || !response.body) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response.body;
}

/** Milliseconds until the first piece of the answer itself is here. */
async function timeFirstToken(origin: string, question: typeof ROUTED | typeof DIRECT): Promise<number> {
  const startedAt = performance.now();
  let firstMs: number | undefined;
  const decoder = new TextDecoder();
  for await (const piece of await post(origin, question, { stream: true })) {
    if (firstMs === undefined && decoder.decode(piece).includes("palabra")) firstMs = performance.now() - startedAt;
  }
  if (firstMs === undefined) throw new Error("The answer had no token");
  return firstMs;
}

async function benchFirstToken(provider: string, { origin }: Served): Promise<Figure> {
  const times = { direct: [] as number[], routed: [] as number[] };
  for (let round = -1000; round < 1000; round++) {
    const direct = await timeFirstToken(provider, DIRECT);
    const routed = await timeFirstToken(origin, ROUTED);
    if (round < 0) continue;
    times.direct.push(direct);
    times.routed.push(routed);
  }
  return {
    what: "added to the first streamed token by serve",
    value: median(times.routed) - median(times.direct),
    unit: "ms",
    bound: { kind: "at most", value: 1 },
    direct: median(times.direct),
    spread: spreadOfDifference(times.routed, times.direct),
    note: `medians of ${times.direct.length}`,
  };
}

/** From the moment a client hangs up, its model silent, to the moment the provider's connection closes. */
async function benchHangUp(): Promise<Figure> {
  const fake = startFakeOllama({ models: [{ name: "bench" }] });
  fake.setResident(["bench"], 131_072);
  fake.always({ kind: "silence" });
  const times: number[] = [];
  {
    await using served = await serve(fake.origin);
    const { hostname, port } = new URL(served.origin);
    const body = JSON.stringify({ ...ROUTED.body, messages: [{ role: "user", content: "a ".repeat(1000) }] });
    const head = `POST ${ROUTED.path} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n`;
    for (let round = 0; round < 50; round++) {
      const connection = await Deno.connect({ hostname, port: Number(port) });
      await connection.write(new TextEncoder().encode(`${head}content-length: ${body.length}\r\n\r\n${body}`));
      while (fake.chats.length <= round) await pause();
      const leftAtMs = Date.now();
      connection.close();
      while (fake.chats[round]?.goneAtMs === undefined) await pause();
      times.push((fake.chats[round]?.goneAtMs ?? NaN) - leftAtMs);
    }
  }
  await fake.stop();
  return {
    what: "a client hangs up, the model is stopped",
    value: Math.max(...times),
    unit: "ms",
    bound: { kind: "at most", value: 50 },
    note: `the slowest of ${times.length}; median ${median(times)} ms`,
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** What readers of the events that have nothing to read cost. */
async function benchReaders({ origin, pid }: Served): Promise<Figure[]> {
  const before = await sampleVitals(pid);
  const { hostname, port } = new URL(origin);
  const head = new TextEncoder().encode(`GET /api/events HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  const connections: Deno.TcpConn[] = [];
  for (let reader = 0; reader < READERS; reader++) {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connections.push(connection);
    await connection.write(head);
    await connection.read(new Uint8Array(4096)); // the welcome
  }
  const after = await sampleVitals(pid);
  for (const connection of connections) connection.close();
  if (!before || !after) return [];
  return [{
    what: `${READERS.toLocaleString("en")} idle readers of the events`,
    value: after.rssMb - before.rssMb,
    unit: "MB",
    bound: { kind: "at most", value: 40 },
    note: `RSS ${before.rssMb.toFixed(0)} MB before`,
  }];
}

/** What a request costs the more, the more messages of the conversation it brings. */
function benchScaling(provider: string, { origin }: Served): Promise<Figure> {
  const ask = (origin: string, question: typeof ROUTED | typeof DIRECT) => async (messages: number) => {
    const startedAt = performance.now();
    await new Response(await post(origin, question, { messages: history(messages) })).bytes();
    return performance.now() - startedAt;
  };
  return measureScaling({
    what: "a request with 20 → 200 → 2,000 messages",
    sizes: [20, 200, 2000],
    costOf: "each",
    mostTimes: 1.5,
    sameWork: true,
    measure: ask(origin, ROUTED),
    direct: ask(provider, DIRECT),
  });
}

/** What was said so far, about 100 bytes a message, and a question. */
function history(messages: number): object[] {
  const said = "Los tomates se riegan cada dos días, por la mañana; el huerto está al sur de la casa. ";
  return Array.from({ length: messages }, (_, at) => ({
    role: (messages - at) % 2 ? "user" : "assistant",
    content: `${at}: ${said}`,
  }));
}

async function benchLoad(provider: string, { origin, pid }: Served): Promise<Figure[]> {
  const routed = { url: origin + ROUTED.path, body: ROUTED.body };
  const direct = { url: provider + DIRECT.path, body: DIRECT.body };
  await using forwarder = await startScriptServer("bench/forwarder.ts", provider);
  const bare = { url: forwarder.origin, body: DIRECT.body };
  // Until the runtime has compiled what it is going to.
  for (const target of [bare, routed]) await load({ ...target, connections: 32, seconds: 5 });
  const one = { direct: [] as number[], bare: [] as number[], routed: [] as number[] };
  const rates = { direct: [] as number[], bare: [] as number[], routed: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, target] of Object.entries({ direct, bare, routed }) as [keyof typeof one, typeof direct][]) {
      one[name].push((await load({ ...target, connections: 1, seconds: 1 })).medianMs);
      rates[name].push((await load({ ...target, connections: 32, seconds: 2 })).requestsPerSecond);
    }
  }
  const own = median(one.direct);
  const bareRate = Math.round(median(rates.bare)).toLocaleString("en");
  return [
    {
      what: "added to a request by serve, 1 connection",
      value: median(one.routed) - own,
      unit: "ms",
      bound: { kind: "at most", value: 0.7 },
      direct: own,
      spread: spreadOfDifference(one.routed, one.direct),
      note: `a bare forwarder adds ${(median(one.bare) - own).toFixed(3)} ms`,
    },
    {
      what: "requests through serve, 32 connections",
      value: median(rates.routed),
      unit: "requests/s",
      bound: { kind: "at least", value: 3000 },
      direct: median(rates.direct),
      spread: spreadOf(rates.routed),
      note: `through a bare forwarder ${bareRate}; medians of ${ROUNDS}`,
    },
    ...await benchMemory(routed, pid),
  ];
}

/** Memory after many requests, and whether it still grows then. */
async function benchMemory(routed: { readonly url: string; readonly body: unknown }, pid: number): Promise<Figure[]> {
  const sizes: number[] = [];
  for (let sent = 0; sent < REQUESTS;) {
    sent += (await load({ ...routed, connections: 32, seconds: 5 })).requests;
    const memory = await sampleVitals(pid);
    if (!memory) return [];
    if (sent >= REQUESTS / 2 || sizes.length === 0) sizes.push(memory.rssMb);
  }
  sizes.push((await sampleVitals(pid))?.rssMb ?? NaN);
  const half = sizes.length >> 1;
  const [early, late] = [median(sizes.slice(0, half)), median(sizes.slice(half))];
  return [
    {
      what: `memory of serve after ${REQUESTS.toLocaleString("en")} requests`,
      value: Math.max(...sizes),
      unit: "MB",
      bound: { kind: "at most", value: 130 },
      note: `RSS, the largest of ${sizes.length} looks in the second half`,
    },
    {
      what: `serve, memory rise over the second ${(REQUESTS / 2).toLocaleString("en")} requests`,
      value: late - early,
      unit: "MB",
      bound: { kind: "at most", value: MEMORY_RISE_MB.serve },
      note: "median of the later looks less that of the earlier ones",
    },
  ];
}
