import { splitText } from "../../src/discord/split.ts";
import { median } from "../support/statistics.ts";
import { sampleVitals } from "../support/vitals.ts";
import { type Figure, spreadOf } from "./measure.ts";
import { programCommand, scriptCommand } from "./program.ts";
import { measureScaling } from "./scaling.ts";

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
  const runs: Run[] = [];
  const plain: Run[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const turn = [await discord.post(), await discord.postPlainly()] as const;
    if (round < 0) continue; // the first run is not counted
    runs.push(turn[0]);
    plain.push(turn[1]);
  }
  const peaks = runs.flatMap(({ peakMb }) => peakMb ?? []);
  const markdown = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  return [
    {
      what: "post, from its start to its request",
      value: median(runs.map(({ wireMs }) => wireMs)),
      unit: "ms",
      bound: { kind: "at most", value: 120 },
      direct: median(plain.map(({ wireMs }) => wireMs)),
      spread: spreadOf(runs.map(({ wireMs }) => wireMs)),
      note: `direct is a Deno program of one fetch; median of ${ROUNDS}, warm`,
    },
    ...(peaks.length === 0 ? [] : [{
      what: "post, peak memory",
      value: median(peaks),
      unit: "MB",
      bound: { kind: "at most" as const, value: 60 },
      direct: median(plain.flatMap(({ peakMb }) => peakMb ?? [])),
      spread: spreadOf(peaks),
      note: "RSS when its request has come",
    }]),
    benchSplit("10 MB of Markdown split", markdown, 200),
    // What costs most for its length: bounds of their own, far above those of any text that people write.
    benchSplit("10 MB of links split", "[a b](https://c.example/d) ", 2000),
    benchSplit("10 MB without any break split", "漢字", 2000),
    await benchScaling(markdown),
  ];
}

function benchScaling(sample: string): Promise<Figure> {
  const sizes = [10_000, 100_000, 1_000_000] as const;
  const even = sample.slice(0, sizes[0]); // or the shorter texts would be of other Markdown
  const texts = new Map<number, string>(sizes.map((length) => [length, repeatTo(even, length)]));
  return measureScaling({
    what: "a text of 10 kB → 100 kB → 1 MB split",
    sizes,
    costOf: "each",
    mostTimes: 2, // 10 kB stay in the processor's cache, 1 MB does not
    sameWork: true,
    measure(length) {
      const startedAt = performance.now();
      splitText(texts.get(length) ?? "");
      return Promise.resolve(performance.now() - startedAt);
    },
  });
}

function repeatTo(sample: string, length: number): string {
  return sample.repeat(Math.ceil(length / sample.length)).slice(0, length);
}

function benchSplit(what: string, sample: string, mostMs: number): Figure {
  const text = repeatTo(sample, SPLIT_CHARS);
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
    spread: spreadOf(times),
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
  const webhook = `${origin}/api/webhooks/1/token`;
  const env = { DISCORD_API_URL: origin, DISCORD_WEBHOOK_URL: webhook };
  const watch = async (command: Deno.Command): Promise<Run> => {
    const arrived = new Promise<number>((resolve) => arrive = resolve);
    const startedAt = performance.now();
    const child = command.spawn();
    const ended = child.output();
    const atMs = await Promise.race([arrived, ended.then(failed)]);
    const peakMb = (await sampleVitals(child.pid))?.peakMb;
    await ended;
    return { wireMs: atMs - startedAt, peakMb };
  };
  return {
    post: () => watch(programCommand(["post", "Hola"], { env })),
    postPlainly: () => watch(scriptCommand("plain_post.ts", [webhook])),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function failed({ code, stderr }: Deno.CommandOutput): never {
  throw new Error(`post ended with ${code} before it sent anything: ${new TextDecoder().decode(stderr)}`);
}
