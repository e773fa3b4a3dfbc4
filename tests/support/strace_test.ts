import assert from "node:assert/strict";
import { describeContact, readContacts, staysHere } from "./strace.ts";

const TRACE = `
7  connect(21, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.7")}, 16) = -1 EINPROGRESS (Operation now in progress)
7  connect(22, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28 <unfinished ...>
8  bind(9, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
7  <... connect resumed>) = -1 ENETUNREACH (Network is unreachable)
8  connect(4, {sa_family=AF_UNIX, sun_path="/run/resolver"}, 110) = -1 ENOENT (No such file or directory)
8  sendto(3, ""..., 1, MSG_NOSIGNAL, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.8")}, 16) = 1
8  sendto(3, ""..., 1, MSG_NOSIGNAL, NULL, 0) = 1
8  sendmmsg(3,  <unfinished ...>
7  connect(5, 0x7ffe, 16) = -1 EFAULT (Bad address)
8  <... sendmmsg resumed>[{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.3")}, msg_namelen=16}, msg_len=9}, {msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.4")}, msg_namelen=16}, msg_len=9}], 2, 0) = 2
8  connect(4, {sa_family=AF_PACKET, sll_protocol=htons(ETH_P_ALL)}, 20) = 0
8  io_uring_setup(8, {flags=0}) = 5
`;

Deno.test("readContacts() finds every address of a trace, whole or in halves, and what it cannot read", () => {
  assert.deepEqual(readContacts(TRACE).map(describeContact), [
    "connect AF_INET 192.0.2.7 port 80",
    "connect AF_INET6 2001:db8::1 port 443",
    "bind AF_INET 127.0.0.1",
    "connect AF_UNIX /run/resolver",
    "sendto AF_INET 192.0.2.8 port 9",
    "connect unreadable 5, 0x7ffe, 16) = -1 EFAULT (Bad address)",
    "sendmmsg AF_INET 192.0.2.3 port 53",
    "sendmmsg AF_INET 192.0.2.4 port 53",
    "connect AF_PACKET ",
    "io_uring_setup unreadable 8, {flags=0}) = 5",
  ]);
});

Deno.test("staysHere() is true for this machine alone", () => {
  const of = (family: string, address: string) => staysHere({ call: "connect", family, address, port: 1 });
  const here = [["AF_INET", "127.0.0.1"], ["AF_INET", "127.1.2.3"], ["AF_INET6", "::1"], ["AF_NETLINK", ""]];
  for (const [family = "", address = ""] of [...here, ["AF_INET6", "::ffff:127.0.0.1"]]) assert.ok(of(family, address));
  const away = [["AF_INET", "0.0.0.0"], ["AF_INET", "128.0.0.1"], ["AF_INET6", "::"], ["AF_INET6", "::ffff:10.0.0.1"]];
  const others = [["AF_UNIX", "/run/systemd/resolve/io.systemd.Resolve"], ["AF_VSOCK", ""], [
    "unreadable",
    "127.0.0.1",
  ]];
  for (const [family = "", address = ""] of [...away, ...others]) {
    assert.ok(!of(family, address), `${family} ${address}`);
  }
});
