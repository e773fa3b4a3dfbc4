/** What stands in the network of its own that `IN_OWN_NETWORK` gives a script; for use in there. */

/** The one name server there; nobody listens on it unless the test does. */
export const NAME_SERVER = "127.0.0.1";
/** Addresses of the namespace itself that are not loopback, to stand for servers elsewhere (RFC 5737). */
export const ELSEWHERE = ["192.0.2.1", "192.0.2.2"] as const;
/** The interface that leads away. */
export const WAY_OUT = "out0";

/** Packets that went the way out since the namespace was made. */
export async function countPacketsOut(): Promise<number> {
  const line = new RegExp(`^ *${WAY_OUT}:(.*)$`, "m").exec(await Deno.readTextFile("/proc/self/net/dev"))?.[1];
  const sent = Number(line?.trim().split(/ +/)[9]); // eight columns of what was received, bytes sent, packets sent
  if (!Number.isInteger(sent)) throw new Error("There is no way out to count the packets of");
  return sent;
}
