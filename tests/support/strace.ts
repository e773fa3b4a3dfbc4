/** What a process and its children had to do with sockets, as the kernel was asked for it (`strace`, Linux only). */

/** Calls by which something may leave, or others may come in. `io_uring` would send past all of them. */
const CALLS = ["connect", "bind", "sendto", "sendmsg", "sendmmsg", "io_uring_setup"];

/** One address that was named in a call. */
export interface Contact {
  readonly call: string;
  /** `AF_INET`, `AF_INET6`, `AF_UNIX`, …; `unreadable` for a call whose address strace could not show. */
  readonly family: string;
  /** An IP address, or the path of a socket. */
  readonly address: string;
  /** 0 where there is none. */
  readonly port: number;
}

/**
 * Words before a command that has its contacts written to `file`. The command keeps its process id and its exit code;
 * the file is complete once its standard output and error are closed, which strace holds open until it is done.
 * What is sent is never written down.
 */
export function traced(file: string): string[] {
  return [
    "strace",
    "-D",
    "-f",
    "-qq",
    "--seccomp-bpf",
    "-e",
    "signal=none",
    "-e",
    `trace=${CALLS}`,
    "-s",
    "0",
    "-o",
    file,
  ];
}

/** Every address in a trace, in order. Sending without an address goes where the socket was connected to before. */
export function readContacts(trace: string): Contact[] {
  return trace.split("\n").flatMap((line) => {
    // `<... sendmmsg resumed>` is the second half of a call that another thread came between; some show all there.
    const [, call, half, rest = ""] = /^\d+ +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$/.exec(line) ?? [];
    if (call === undefined) return [];
    const addresses = [...rest.matchAll(/\{sa_family=(\w+)(.*?)\}/g)];
    const named = addresses.map(([, family = "", fields = ""]) => ({ call, family, ...addressIn(fields) }));
    const needsAddress = half === "(" && /^(connect|bind|io_uring_setup)$/.test(call);
    if (named.length > 0 || !needsAddress) return named;
    return [{ call, family: "unreadable", address: rest, port: 0 }];
  });
}

function addressIn(fields: string): { address: string; port: number } {
  const port = Number(/sin6?_port=htons\((\d+)\)/.exec(fields)?.[1] ?? 0);
  const address = /(?:inet_addr\(|inet_pton\(AF_INET6, |sun_path=@?)"(.*?)"/.exec(fields)?.[1] ?? "";
  return { address, port };
}

/**
 * Within this machine: loopback, asking the kernel itself (netlink), and taking an address back (`AF_UNSPEC`). Sockets
 * of the file system do not count as such: behind them may be somebody who asks the network.
 */
export function staysHere({ family, address }: Contact): boolean {
  if (family === "AF_NETLINK" || family === "AF_UNSPEC") return true;
  // glibc looks there for cached names before it reads any file; `IN_OWN_NETWORK` lets nobody listen there.
  if (family === "AF_UNIX") return address === "/var/run/nscd/socket";
  if (family === "AF_INET") return isIpv4Loopback(address);
  return family === "AF_INET6" && (address === "::1" || isIpv4Loopback(address.replace(/^::ffff:/, "")));
}

function isIpv4Loopback(address: string): boolean {
  return /^127(\.\d{1,3}){3}$/.test(address);
}

/** For messages. */
export function describeContact({ call, family, address, port }: Contact): string {
  return `${call} ${family} ${address}${port === 0 ? "" : ` port ${port}`}`;
}
