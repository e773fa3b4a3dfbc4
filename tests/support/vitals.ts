/** What a process holds, seen from outside. Linux tells; others do not. */

/** Of one moment. Memory is resident memory in MB (10⁶ bytes). */
export interface Vitals {
  readonly rssMb: number;
  /** The most it has ever been. */
  readonly peakMb: number;
  /** Open file descriptors, sockets included. */
  readonly descriptors: number;
  /** Those of them that are sockets. */
  readonly sockets: number;
  readonly threads: number;
}

/** What `/proc` calls kB is 1024 bytes (proc(5), and the kernel's task_mmu.c). */
const BYTES_A_UNIT = 1024;

/** Undefined where there is no `/proc`, and for a process that has ended. */
export async function sampleVitals(pid: number): Promise<Vitals | undefined> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  const [rss, peak] = [numberIn(status, "VmRSS"), numberIn(status, "VmHWM")];
  const targets = await descriptorsOf(pid);
  if (Number.isNaN(rss) || Number.isNaN(peak) || targets === undefined) return undefined;
  return {
    rssMb: rss * BYTES_A_UNIT / 1e6,
    peakMb: peak * BYTES_A_UNIT / 1e6,
    descriptors: targets.length,
    sockets: targets.filter((target) => target.startsWith("socket:[")).length,
    threads: numberIn(status, "Threads"),
  };
}

/** Why nothing can be seen of a process here; undefined when it can. */
export const vitalsMissing: string | undefined = await sampleVitals(Deno.pid) ? undefined : "this system has no /proc";

/** A field of `/proc/PID/status` (proc(5)); NaN when it is not there. */
function numberIn(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? NaN);
}

/** What the open descriptors lead to. */
async function descriptorsOf(pid: number): Promise<string[] | undefined> {
  const folder = `/proc/${pid}/fd`;
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    // One that has been closed since the folder was read is none any more.
    const targets = entries.map(({ name }) => Deno.readLink(`${folder}/${name}`).catch(() => undefined));
    return (await Promise.all(targets)).filter((target) => target !== undefined);
  } catch {
    return undefined;
  }
}
