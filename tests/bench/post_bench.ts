import { splitText } from "../../src/discord/split.ts";
import { sampleVitals } from "../support/vitals.ts";
import { type Figure, median } from "./measure.ts";
import { programCommand } from "./program.ts";

const ROUNDS = 15;
/** Characters of Markdown that are split: 10 MB of it, as nearly all of them are one byte. */
const SPLIT_CHARS = 10_000_000;

interface Run {
  /** From the start of the process to its request, milliseconds. */
  readonly wireMs: number;
  /** Peak resident memory when the request has come, MB; undefined where the system does not tell. */
  readonly peakMb: number | undefined;
}

/** Figures of `post`: how long it takes to be heard of, what it weighs then, and how fast a text is split. */
export async function benchPost(): Promise<Figure[]> {
  await using discord = startDiscord();
  await discord.post(); // the first run is not counted
  const runs: Run[] = [];
  for (let round = 0; round < ROUNDS; round++) runs.push(await discord.post());
  const peaks = runs.flatMap(({ peakMb }) => peakMb ?? []);
  return [
    {
      what: "post, from its start to its request",
      value: median(runs.map(({ wireMs }) => wireMs)),
      unit: "ms",
      bound: { kind: "at most", value: 120 },
      note: `median of ${ROUNDS}, warm`,
    },
    ...(peaks.length === 0 ? [] : [{
      what: "post, peak memory",
      value: median(peaks),
      unit: "MB",
      bound: { kind: "at most" as const, value: 60 },
      note: "RSS when its request has come",
    }]),
    benchSplit("10 MB of Markdown split", await Deno.readTextFile(new URL("../../README.md", import.meta.url)), 200),
    // What costs most for its length: bounds of their own, far above those of any text that people write.
    benchSplit("10 MB of links split", "[a b](https://c.example/d) ", 2000),
    benchSplit("10 MB without any break split", "漢字", 2000),
  ];
}

function benchSplit(what: string, sample: string, mostMs: number): Figure {
  const text = sample.repeat(Math.ceil(SPLIT_CHARS / sample.length)).slice(0, SPLIT_CHARS);
  const times: number[] = [];
  let parts = 0;
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now();
    parts = splitText(text).length;
    times.push(performance.now() - startedAt);
  }
  return {
    what,
    value: median(times),
    unit: "ms",
    bound: { kind: "at most", value: mostMs },
    note: `into ${parts} messages`,
  };
}

/** A server that confirms every message, and says when a request has come. */
function startDiscord() {
  let arrive: (atMs: number) => void = () => {};
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    await request.bytes();
    arrive(performance.now());
    await new Promise((resolve) => setTimeout(resolve, 50)); // while its memory is read
    return Response.json({ id: "1", channel_id: "2" });
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const env = { DISCORD_API_URL: origin, DISCORD_WEBHOOK_URL: `${origin}/api/webhooks/1/token` };
  return {
    async post(): Promise<Run> {
      const arrived = new Promise<number>((resolve) => arrive = resolve);
      const startedAt = performance.now();
      const child = programCommand(["post", "Hola"], { env }).spawn();
      const ended = child.output();
      const atMs = await Promise.race([arrived, ended.then(failed)]);
      const peakMb = (await sampleVitals(child.pid))?.peakMb;
      await ended;
      return { wireMs: atMs - startedAt, peakMb };
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function failed({ code, stderr }: Deno.CommandOutput): never {
  throw new Error(`post ended with ${code} before it sent anything: ${new TextDecoder().decode(stderr)}`);
}
