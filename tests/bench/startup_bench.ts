import { sampleVitals } from "../support/vitals.ts";
import { type Figure, median } from "./measure.ts";
import { configFor, programCommand } from "./program.ts";

const ROUNDS = 11;

interface Run {
  readonly wallMs: number;
  /** Peak resident memory; undefined where the system does not tell. */
  readonly peakMb: number | undefined;
}

/** Figures of the whole program as a process, warm: the first run of each is not counted. */
export async function benchStartUp(origin: string): Promise<Figure[]> {
  const config = await Deno.makeTempDir();
  await Deno.writeTextFile(`${config}/models.json`, JSON.stringify(configFor(origin)));
  try {
    const version = await repeat(() => run(["--version"], config));
    const ask = await repeat(() => run(["--config", config, "ask", "Hola"], config));
    const memory = await repeat(() => run(["--config", config, "ask", "pause 700"], config), 3);
    return [
      figure("--version", median(version.map(({ wallMs }) => wallMs)), 100),
      figure("ask, its own time", median(ask.map(({ wallMs }) => wallMs)), 250, "sealed; the fake answers at once"),
      ...memoryFigure(memory),
    ];
  } finally {
    await Deno.remove(config, { recursive: true });
  }
}

function figure(what: string, value: number, atMost: number, note = `median of ${ROUNDS}`): Figure {
  return { what, value, unit: "ms", bound: { kind: "at most", value: atMost }, note };
}

function memoryFigure(runs: readonly Run[]): Figure[] {
  const peaks = runs.flatMap(({ peakMb }) => peakMb ?? []);
  if (peaks.length === 0) return []; // no /proc here
  return [{
    what: "sealed ask, peak memory",
    value: median(peaks),
    unit: "MB",
    bound: { kind: "at most", value: 90 },
    note: `RSS of the process, median of ${peaks.length}`,
  }];
}

async function repeat(once: () => Promise<Run>, rounds = ROUNDS): Promise<Run[]> {
  await once();
  const runs: Run[] = [];
  for (let round = 0; round < rounds; round++) runs.push(await once());
  return runs;
}

async function run(args: readonly string[], folder: string): Promise<Run> {
  const startedAt = performance.now();
  const child = programCommand(args, { folder }).spawn();
  const peak = watchPeak(child.pid);
  const { code, stderr } = await child.output();
  const wallMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${args.at(-2)} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  return { wallMs, peakMb: await peak };
}

/** Reads the peak memory of a process until it is gone. */
async function watchPeak(pid: number): Promise<number | undefined> {
  let peakMb: number | undefined;
  for (let vitals = await sampleVitals(pid); vitals; vitals = await sampleVitals(pid)) {
    peakMb = vitals.peakMb;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return peakMb;
}
