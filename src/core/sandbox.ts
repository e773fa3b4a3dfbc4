/** What the binary can be allowed to reach or listen on when it is compiled: the options of `deno task compile`. */
export const HOST_OPTIONS = ["ollama", "listen", "postgres"] as const;
export type HostOption = typeof HOST_OPTIONS[number];

/** Whether the sandbox lets this process connect to `host` (`name:port`): asked before anything is sent or counted. */
export function isAllowed(host: string): boolean {
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

/**
 * What would let this process connect to `host` (`name:port`), or listen there.
 * @param option the one of `deno task compile` that grants it to a binary; without one only deno.json does
 * @param standalone whether this is the binary
 */
export function howToAllow(host: string, option?: HostOption, standalone = Deno.build.standalone): string {
  if (!standalone) {
    return `To allow it, add "${host}" to permissions.default.net in deno.json, or run with --allow-net=${host}.`;
  }
  if (option !== undefined) {
    return `To allow it, build the binary again, with --${option} ${host} added to what it was built with: ` +
      `deno task compile --${option} ${host}`;
  }
  return `To allow it, add "${host}" to permissions.default.net in deno.json, and build the binary again: ` +
    "deno task compile";
}
