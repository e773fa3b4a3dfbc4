/** Whether the sandbox lets this process connect to `host` (`name:port`): asked before anything is sent or counted. */
export function isAllowed(host: string): boolean {
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

/** What would let this process connect to `host` (`name:port`). */
export function howToAllow(host: string): string {
  return `To allow it, add "${host}" to permissions.default.net in deno.json, or run with --allow-net=${host}.`;
}
