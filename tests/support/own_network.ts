/** Gives a script a network of its own, in which what leaves goes nowhere and is counted. Linux only. */
import { ELSEWHERE, NAME_SERVER, WAY_OUT } from "./network.ts";
import { traced } from "./strace.ts";

/**
 * Loopback, and a way out on which nobody answers: every IPv4 address has a route, so that a packet to it is sent and
 * counted instead of refused. The kernel says nothing of its own there, no ARP (the neighbour is given) and nothing
 * of IPv6 (the interfaces have no address of it). Names are asked of `NAME_SERVER` alone: systemd's resolver, mDNS
 * and the like would be reached over sockets of the file system, which no network namespace holds back.
 */
const SETUP = `
set -e
ip link set lo up
${ELSEWHERE.map((address) => `ip address add ${address}/32 dev lo`).join("\n")}
ip link add ${WAY_OUT} type veth peer name out1
ip link set ${WAY_OUT} addrgenmode none up
ip link set out1 addrgenmode none up
ip address add 198.51.100.1/24 dev ${WAY_OUT}
ip neighbour add 198.51.100.2 lladdr 02:00:00:00:00:02 nud permanent dev ${WAY_OUT}
ip route add default via 198.51.100.2
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
echo 'nameserver ${NAME_SERVER}' > "$files/resolv.conf"
mount --bind "$files/resolv.conf" /etc/resolv.conf
if [ -e /etc/nsswitch.conf ]; then
  echo 'hosts: files dns' > "$files/nsswitch.conf"
  mount --bind "$files/nsswitch.conf" /etc/nsswitch.conf
fi
rm -r "$files"
if [ -d /var/run/nscd ]; then mount -t tmpfs tmpfs /var/run/nscd; fi
exec "$@"
`;

/** Words before a command that has it run there, as root of that namespace and of nothing else. */
export const IN_OWN_NETWORK: readonly string[] = ["unshare", "-rnm", "sh", "-c", SETUP, "sh"];

/** Why no program can be watched in a network of its own here; undefined when it can. */
export const networkMissing: string | undefined = await whyMissing();

async function whyMissing(): Promise<string | undefined> {
  const needed = [["strace", "-V"], ["ip", "-V"], ["openssl", "version"], ["unshare", "--version"]] as const;
  const there = await Promise.all(needed.map(async ([name, flag]) => await complaintOf([name, flag]) === undefined));
  const missing = needed.filter((_, index) => !there[index]).map(([name]) => name);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const complaint = await complaintOf([...IN_OWN_NETWORK, ...traced("/dev/null"), "true"]);
  return complaint === undefined ? undefined : `no network of its own: ${complaint}`;
}

/** What a command says when it fails; undefined when it does not. */
async function complaintOf([command, ...args]: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stderr } = await new Deno.Command(command ?? "", { args, stdin: "null" }).output();
    return success ? undefined : new TextDecoder().decode(stderr).trim() || `${command} failed`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `there is no ${command}`;
    throw error;
  }
}
