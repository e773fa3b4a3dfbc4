import { type Figure, median } from "./measure.ts";

const ROUNDS = 11;
const PROGRAM = new URL("../../main.ts", import.meta.url).pathname;
const FOLDER = new URL("../..", import.meta.url).pathname;
/** The flags of the tasks in deno.json. */
const FLAGS = ["run", "-q", "-P", "--no-prompt", "--cached-only", "--deny-import", PROGRAM];

interface Run {
  readonly wallMs: number;
  /** Peak resident memory; undefined where the system does not tell. */
  readonly peakMb: number | undefined;
}

/** Figures of the whole program as a process, warm: the first run of each is not counted. */
export async function benchStartUp(origin: string): Promise<Figure[]> {
  const config = await Deno.makeTempDir();
  await Deno.writeTextFile(`${config}/models.json`, JSON.stringify(configFor(origin)));
  const flags = [...FLAGS.slice(0, -1), `--allow-read=${FOLDER},${config}`, PROGRAM];
  try {
    const version = await repeat(() => run([...FLAGS, "--version"]));
    const ask = await repeat(() => run([...flags, "--config", config, "ask", "Hola"]));
    const memory = await repeat(() => run([...flags, "--config", config, "ask", "pause 700"]), 3);
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

async function run(args: string[]): Promise<Run> {
  const startedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), { args, cwd: FOLDER, stdout: "null", stderr: "piped" }).spawn();
  const peak = watchPeak(child.pid);
  const { code, stderr } = await child.output();
  const wallMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${args.at(-2)} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  return { wallMs, peakMb: await peak };
}

/** Reads the peak memory of a process until it is gone. */
async function watchPeak(pid: number): Promise<number | undefined> {
  let peakMb: number | undefined;
  for (;;) {
    try {
      const status = await Deno.readTextFile(`/proc/${pid}/status`);
      const kilobytes = status.match(/^VmHWM:\s+(\d+) kB$/m)?.[1];
      if (kilobytes === undefined) return peakMb;
      peakMb = Number(kilobytes) / 1000;
    } catch {
      return peakMb;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function configFor(origin: string) {
  return {
    profile: "local",
    providers: { ollama: { type: "ollama", base_url: origin, models: { bench: { context: 131_072 } } } },
    fallback_chain: ["ollama/bench"],
    profiles: { local: { local_only: true } },
  };
}
