import { UsageTable } from "../../src/storage/usage_table.ts";
import { configFor } from "../support/fast_provider.ts";
import { median } from "../support/statistics.ts";
import { variedRows } from "../support/usage_rows.ts";
import { sampleVitals } from "../support/vitals.ts";
import { type Figure, spreadOf } from "./measure.ts";
import { programCommand, scriptCommand } from "./program.ts";
import { measureScaling } from "./scaling.ts";

const ROUNDS = 11;

interface Run {
  readonly wallMs: number;
  /** Peak resident memory; undefined where the system does not tell. */
  readonly peakMb: number | undefined;
}

/** Figures of the whole program as a process, warm: the first run of each is not counted. */
export async function benchStartUp(origin: string): Promise<Figure[]> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/models.json`, JSON.stringify(configFor(origin)));
  try {
    const [nothing = [], version = [], ask = []] = await repeat([
      () => run(scriptCommand("nothing.ts")),
      () => run(programCommand(["--version"], { folder })),
      () => run(askCommand(folder, "Hola")),
    ]);
    const [memory = []] = await repeat([() => run(askCommand(folder, "pause 700"))], 3);
    const empty = median(nothing.map(({ wallMs }) => wallMs));
    return [
      figure("--version", version, 100, empty),
      figure("ask, its own time", ask, 250, empty, "; sealed, the fake answers at once"),
      ...memoryFigure(memory),
      await benchModels(origin, folder),
      await benchRows(origin, folder),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function askCommand(folder: string, prompt: string): Deno.Command {
  return programCommand(["--config", folder, "--data", `${folder}/data`, "ask", prompt], { folder });
}

function figure(what: string, runs: readonly Run[], atMost: number, direct: number, note = ""): Figure {
  const times = runs.map(({ wallMs }) => wallMs);
  return {
    what,
    value: median(times),
    unit: "ms",
    bound: { kind: "at most", value: atMost },
    direct,
    spread: spreadOf(times),
    note: `direct is an empty Deno program; median of ${times.length}${note}`,
  };
}

/** What a longer models.json costs. */
async function benchModels(origin: string, folder: string): Promise<Figure> {
  const sizes = [10, 100, 1000] as const;
  for (const models of sizes) {
    await Deno.mkdir(`${folder}/${models}-models`);
    await Deno.writeTextFile(`${folder}/${models}-models/models.json`, JSON.stringify(configFor(origin, models)));
  }
  return await measureScaling({
    what: "ask with 10 → 100 → 1,000 models configured",
    sizes,
    costOf: "whole",
    mostTimes: 1.5,
    measure: async (models) => (await run(askCommand(`${folder}/${models}-models`, "Hola"))).wallMs,
  });
}

/** What rows of former calls cost. */
async function benchRows(origin: string, folder: string): Promise<Figure> {
  const sizes = [1000, 10_000, 100_000] as const;
  for (const rows of sizes) {
    await Deno.mkdir(`${folder}/${rows}-rows/data`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${rows}-rows/models.json`, JSON.stringify(configFor(origin)));
    const path = `${folder}/${rows}-rows/data/django.db`;
    using table = new UsageTable({ path, busyTimeoutMs: 0, onSetAside: console.error });
    table.insertAll(variedRows(rows));
  }
  return await measureScaling({
    what: "ask with 1,000 → 10,000 → 100,000 rows of usage",
    sizes,
    costOf: "whole",
    mostTimes: 1.3,
    measure: async (rows) => (await run(askCommand(`${folder}/${rows}-rows`, "Hola"))).wallMs,
  });
}

function memoryFigure(runs: readonly Run[]): Figure[] {
  const peaks = runs.flatMap(({ peakMb }) => peakMb ?? []);
  if (peaks.length === 0) return []; // no /proc here
  return [{
    what: "sealed ask, peak memory",
    value: median(peaks),
    unit: "MB",
    bound: { kind: "at most", value: 90 },
    spread: spreadOf(peaks),
    note: `RSS of the process, median of ${peaks.length}`,
  }];
}

/** Each in turn, again and again; the first run of each is not counted. */
async function repeat(each: readonly (() => Promise<Run>)[], rounds = ROUNDS): Promise<Run[][]> {
  const runs = each.map((): Run[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, once] of each.entries()) {
      const done = await once();
      if (round >= 0) runs[at]?.push(done);
    }
  }
  return runs;
}

async function run(command: Deno.Command): Promise<Run> {
  const startedAt = performance.now();
  const child = command.spawn();
  const peak = watchPeak(child.pid);
  const { code, stderr } = await child.output();
  const wallMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`A command ended with ${code}: ${new TextDecoder().decode(stderr)}`);
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
