/**
 * The last case of the catalogue: the primary is down for a minute while somebody asks every three seconds. Everybody
 * has to be answered, hardly a call may reach the dead provider, and it has to be back in use soon after it is back.
 */
import { type ProtocolName, PROTOCOLS, type Timings } from "./scenario.ts";
import { readRows, type Verdict } from "./trial.ts";
import { type Way, WAYS } from "./ways.ts";
import { type FaultWorld, startWorld } from "./world.ts";

/** `refused`: nobody listens. `reset`: somebody accepts and hangs up, so that the provider itself can count. */
export const OUTAGES = ["refused", "reset"] as const;
export type OutageKind = typeof OUTAGES[number];

export interface Outage {
  readonly kind: OutageKind;
  readonly protocol: ProtocolName;
  readonly way: Way;
}

const EVERY_MS = 3000;
const LASTS_MS = 60_000;
/** Within which it has to serve again. */
const BACK_WITHIN_MS = 30_000;
/** Calls that may reach it meanwhile: what opens the breaker, and one probe. */
const MOST_CALLS = 4;

/** How time passes between two requests. */
export interface Clock extends Disposable {
  pass(ms: number): Promise<void>;
}

/** Time as it is. */
export function realClock(): Clock {
  return { pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)), [Symbol.dispose]: () => {} };
}

/** Puts the monotonic clock of this process forward instead of waiting, until it is disposed of; timers stay as they are. */
export function skippingClock(): Clock {
  const { now } = performance;
  let skippedMs = 0;
  performance.now = () => now.call(performance) + skippedMs;
  return {
    pass: (ms) => Promise.resolve(void (skippedMs += ms)),
    [Symbol.dispose]: () => void (performance.now = now),
  };
}

/** Every kind of outage for every protocol and way. */
export const ALL_OUTAGES: readonly Outage[] = OUTAGES.flatMap((kind) =>
  PROTOCOLS.flatMap((protocol) => WAYS.map((way): Outage => ({ kind, protocol, way })))
);

/** One outage, from a primary that serves to one that serves again. */
export async function runOutage({ kind, protocol, way }: Outage, timings: Timings, clock: Clock): Promise<Verdict> {
  await using world = await startWorld({ protocol, timings, primaryLimits: timings.limits });
  const complaints: string[] = [];
  const ask = async (after: string, wanted: readonly string[]) => {
    const { by, reason } = await way.ask(world, "¿Quién lo dice?");
    if (by === undefined || !wanted.includes(by)) complaints.push(`${after}: got ${by ?? reason} instead of ${wanted}`);
    return by;
  };
  await ask("before", ["primary"]);
  await breakDown(world, kind);
  let asked = 0;
  for (let atMs = 0; atMs < LASTS_MS; atMs += EVERY_MS, asked++) {
    await ask(`${atMs / 1000} s into the outage`, ["fallback"]);
    await clock.pass(EVERY_MS);
  }
  const calls = await callsMeanwhile(world, kind);
  if (calls > MOST_CALLS) complaints.push(`${calls} calls reached the dead primary, not ${MOST_CALLS} at most`);
  await repair(world);
  let backMs = 0;
  while (backMs <= BACK_WITHIN_MS && await ask(`${backMs / 1000} s after it`, ["primary", "fallback"]) !== "primary") {
    await clock.pass(EVERY_MS);
    backMs += EVERY_MS;
    asked++;
  }
  if (backMs > BACK_WITHIN_MS) {
    complaints.push(`the primary does not serve ${BACK_WITHIN_MS / 1000} s after its return`);
  }
  return {
    got: `${asked} answers of the fallback; the primary's again after ${backMs / 1000} s`,
    primarySaw: `${calls} calls while down`,
    fallbackSaw: `${world.fallback.chats.length} requests`,
    complaints,
  };
}

async function breakDown({ primary }: FaultWorld, kind: OutageKind): Promise<void> {
  if (kind === "refused") await primary.down();
  else primary.always({ kind: "reset" });
}

async function repair({ primary }: FaultWorld): Promise<void> {
  primary.always({ kind: "answer" });
  await primary.up();
}

/** As the provider counts them, or, when nobody is there to count, the usage table. */
async function callsMeanwhile(world: FaultWorld, kind: OutageKind): Promise<number> {
  if (kind === "reset") return world.primary.chats.length - 1; // one came before
  return (await readRows(world)).filter(({ provider, outcome }) => provider === "primary" && outcome !== "ok").length;
}
