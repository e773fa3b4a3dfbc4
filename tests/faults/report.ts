/** The catalogue run as a whole, and its table. */
import { table } from "../../src/cli/output.ts";
import { CATALOGUE } from "./catalogue.ts";
import { ALL_OUTAGES, type Outage, realClock, runOutage, skippingClock } from "./outage.ts";
import { PROTOCOLS, type Timings } from "./scenario.ts";
import { runTrial, type Trial, type Verdict } from "./trial.ts";
import { WAYS } from "./ways.ts";

/** One line of the catalogue: a scenario for a protocol, asked in one way. */
export interface Result extends Verdict {
  readonly scenario: string;
  readonly protocol: string;
  readonly way: string;
}

/** As many as are asked at the same time where they only wait. */
const AT_ONCE = { fast: 6, full: 40 } as const;

/** Every scenario for every protocol, asked in every way. */
export async function runCatalogue(timings: Timings, tell: (result: Result) => void): Promise<Result[]> {
  const trials = CATALOGUE.flatMap((scenario) =>
    (scenario.protocols ?? PROTOCOLS).flatMap((protocol) =>
      WAYS.map((way): Trial => ({ scenario, protocol, way, timings }))
    )
  );
  const told = (result: Result) => {
    tell(result);
    return result;
  };
  const tried = await inParallel(trials, AT_ONCE[timings.name], async (trial) => {
    const { scenario, protocol, way } = trial;
    return told({ scenario: scenario.name, protocol, way: way.name, ...await attempt(() => runTrial(trial)) });
  });
  // A clock that jumps must not do so while somebody else is measured by it: one after the other.
  using clock = timings.name === "full" ? realClock() : skippingClock();
  const outages = await inParallel(ALL_OUTAGES, timings.name === "full" ? AT_ONCE.full : 1, async (outage) => {
    const verdict = await attempt(() => runOutage(outage, timings, clock));
    return told({ scenario: nameOf(outage), protocol: outage.protocol, way: outage.way.name, ...verdict });
  });
  return [...tried, ...outages];
}

/** What an outage is called in the table. */
export function nameOf({ kind }: Pick<Outage, "kind">): string {
  return `down for a minute (${kind})`;
}

/** A scenario that throws has failed; the others go on. */
async function attempt(run: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await run();
  } catch (error) {
    const complaint = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { got: "–", primarySaw: "–", fallbackSaw: "–", complaints: [complaint] };
  }
}

async function inParallel<Item, Out>(items: readonly Item[], atOnce: number, run: (item: Item) => Promise<Out>) {
  const results: Out[] = [];
  const waiting = items.entries();
  const worker = async () => {
    for (const [at, item] of waiting) results[at] = await run(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** Ways that had the same outcome share a line. */
export function renderReport(results: readonly Result[]): string {
  const lines = new Map<string, { result: Result; ways: string[] }>();
  for (const result of results) {
    const { scenario, protocol, got, primarySaw, fallbackSaw, complaints } = result;
    const key = JSON.stringify([scenario, protocol, plain(got), primarySaw, fallbackSaw, complaints]);
    const line = lines.get(key);
    if (line) line.ways.push(result.way);
    else lines.set(key, { result, ways: [result.way] });
  }
  const rows = [...lines.values()].map(({ result, ways }) => [
    result.scenario,
    result.protocol,
    nameWays(ways),
    plain(result.got),
    result.primarySaw,
    result.fallbackSaw,
    result.complaints.length === 0 ? "ok" : `FAILED: ${result.complaints.join("; ")}`,
  ]);
  return table([
    ["scenario", "protocol", "asked through", "the caller got", "primary saw", "fallback saw", "verdict"],
    ...rows,
  ]);
}

/** Without the status, in which the ways differ by their nature. */
function plain(got: string): string {
  return got.replace(/\b[1-5]\d\d /g, "");
}

function nameWays(ways: readonly string[]): string {
  if (ways.length === WAYS.length) return "all";
  for (const streamed of [true, false]) {
    const names = WAYS.filter((way) => way.streamed === streamed).map(({ name }) => name);
    if (names.length === ways.length && names.every((name) => ways.includes(name))) {
      return streamed ? "all streamed" : "all whole";
    }
  }
  return ways.join(", ");
}
