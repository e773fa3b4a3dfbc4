/**
 * True for names and addresses that never leave this machine: `localhost`, `127.0.0.0/8`, `::1`. Not for `localhost.`
 * nor for names under `localhost`: those a name server may answer for.
 */
export function isLoopback(hostname: string): boolean {
  const host = bare(hostname);
  if (host === "localhost" || host === "::1") return true;
  return ipv4(host)?.[0] === 127;
}

/**
 * True for loopback and for addresses that stay on the local network: RFC 1918, link-local (RFC 3927), carrier-grade
 * NAT as used by overlay networks (RFC 6598), IPv6 unique-local and link-local (RFC 4193, RFC 4291), mDNS names
 * (`*.local`, RFC 6762), `*.internal`, `*.home.arpa` (RFC 8375), `*.lan`, and single-label host names.
 */
export function isLoopbackOrPrivate(hostname: string): boolean {
  const host = bare(hostname);
  if (isLoopback(host)) return true;
  const octets = ipv4(host);
  if (octets) {
    const [a = 0, b = 0] = octets;
    return a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168) || (a === 169 && b === 254) ||
      (a === 100 && b >= 64 && b <= 127);
  }
  if (host.includes(":")) return /^(f[cd]..|fe[89ab].):/.test(host);
  return /^[^.]+$/.test(host) || /[^.]\.(local|lan|internal|home\.arpa)$/.test(host);
}

/** True for the addresses that stand for every address of this machine: to listen on, not to connect to (RFC 6890). */
export function isUnspecified(hostname: string): boolean {
  const host = bare(hostname);
  return host === "0.0.0.0" || host === "::";
}

function bare(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[|\]$/g, "");
}

function ipv4(host: string): number[] | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return undefined;
  const octets = host.split(".").map(Number);
  return octets.every((octet) => octet <= 255) ? octets : undefined;
}

/** `host:port` of a URL, as a grant of the sandbox names it. */
export function hostAndPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}
