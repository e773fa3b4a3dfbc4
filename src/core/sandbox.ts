import { isLoopbackOrPrivate, isUnspecified } from "./address.ts";

/** What the binary can be allowed to reach or listen on when it is compiled: the options of `deno task compile`. */
export const HOST_OPTIONS = ["ollama", "listen", "postgres"] as const;
/** One of them, without its dashes. Each takes addresses as `host:port`. */
export type HostOption = typeof HOST_OPTIONS[number];

/** Whether the sandbox lets this process connect to `host` (`name:port`): asked before anything is sent or counted. */
export function isAllowed(host: string): boolean {
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

/** Whether an option grants this host: only what is on this machine or network, and what can be used that way. */
export function isGrantedBy(option: HostOption, hostname: string): boolean {
  return isUnspecified(hostname) ? option === "listen" : isLoopbackOrPrivate(hostname);
}

/**
 * What would let this process connect to `host` (`name:port`), or listen there.
 * @param option the one of `deno task compile` that is for what is there. It is named where it would grant this host;
 *   anywhere else, and without one, only deno.json does
 */
export function howToAllow(host: string, option?: HostOption): string {
  if (Deno.build.standalone && option !== undefined && canBeBuiltIn(option, host)) {
    return `To allow it, ${howToRebuild(`--${option} ${host}`)}.`;
  }
  const add = `To allow it, add "${host}" to permissions.default.net in deno.json,`;
  return Deno.build.standalone ? `${add} and ${howToRebuild()}.` : `${add} or run with --allow-net=${host}.`;
}

/** How the binary is built again. No command line to copy: an option that is left out of it is lost. */
export function howToRebuild(option?: string): string {
  const more = option === undefined ? "" : `, and ${option} besides`;
  return `build the binary again (deno task compile) with every option it was built with${more}`;
}

/** Port 0, which lets the system choose one, is none that an option takes. */
function canBeBuiltIn(option: HostOption, host: string): boolean {
  const at = host.lastIndexOf(":");
  return host.slice(at + 1) !== "0" && isGrantedBy(option, host.slice(0, at));
}
