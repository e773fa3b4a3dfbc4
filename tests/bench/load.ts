/** Load from `wrk`, which Debian and most other systems have as a package. */

/** What one run of the load generator saw. */
export interface Load {
  readonly requestsPerSecond: number;
  /** Median latency in milliseconds. */
  readonly medianMs: number;
  readonly requests: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Posted as JSON with every request. */
  readonly body: unknown;
}

/** True when `wrk` is installed. */
export async function canLoad(): Promise<boolean> {
  try {
    await new Deno.Command("wrk", { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch {
    return false; // a program that is not there makes `output()` throw before it returns a promise
  }
}

/** Asks again and again over so many connections. @throws when `wrk` fails or any answer was an error */
export async function load({ url, connections, seconds, body }: LoadOptions): Promise<Load> {
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  const quoted = JSON.stringify(JSON.stringify(body));
  await Deno.writeTextFile(
    script,
    `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = ${quoted}\n`,
  );
  try {
    const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-s", script, url];
    const { code, stdout, stderr } = await new Deno.Command("wrk", { args }).output();
    const text = new TextDecoder().decode(stdout);
    if (code !== 0) throw new Error(`wrk ended with ${code}: ${new TextDecoder().decode(stderr)}`);
    return parse(text);
  } finally {
    await Deno.remove(script);
  }
}

const MILLISECONDS = { us: 0.001, ms: 1, s: 1000 } as const;

function parse(text: string): Load {
  const trouble = /^ +(Socket errors|Non-2xx).*$/m.exec(text)?.[0];
  if (trouble !== undefined) throw new Error(`The load saw failures: ${trouble.trim()}`);
  const [, value, unit] = /^ +50% +([\d.]+)(us|ms|s)$/m.exec(text) ?? [];
  const [, requests] = /^ +(\d+) requests in /m.exec(text) ?? [];
  const [, rate] = /^Requests\/sec: +([\d.]+)$/m.exec(text) ?? [];
  return {
    requestsPerSecond: Number(rate),
    medianMs: Number(value) * MILLISECONDS[unit as keyof typeof MILLISECONDS],
    requests: Number(requests),
  };
}
