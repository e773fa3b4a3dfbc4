import assert from "node:assert/strict";
import { hostAndPort, isLoopback, isLoopbackOrPrivate, isUnspecified } from "../../src/core/address.ts";

const LOOPBACK = [
  "localhost",
  "LOCALHOST",
  "127.0.0.1",
  "127.255.255.254",
  "::1",
  "[::1]",
];
const PRIVATE = [
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.20",
  "169.254.10.1",
  "100.64.0.1",
  "100.127.255.255",
  "fc00::1",
  "[fd12:3456::1]",
  "fe80::1",
  "febf::1",
  "nas",
  "nas.local",
  "box.lan",
  "box.internal",
  "box.home.arpa",
];
/** Among them names and addresses that only look like those of this machine or network. */
const PUBLIC = [
  "example.com",
  "localhost.",
  "ollama.localhost",
  "nas.local.",
  "nas.",
  "localhost.example.com",
  "127.0.0.1.example.com",
  "192.168.1.20.example.com",
  "local.example",
  "10.0.0.256",
  "128.0.0.1",
  "11.0.0.1",
  "172.15.255.255",
  "172.32.0.0",
  "192.169.0.1",
  "169.253.0.1",
  "100.63.255.255",
  "100.128.0.0",
  "8.8.8.8",
  "2001:db8::1",
  "[2606:4700::1111]",
  "fec0::1",
  "fc::1",
  "[fd::1]",
  "::ffff:8.8.8.8",
];

Deno.test("isLoopback() knows the names and addresses of this machine", () => {
  assert.deepEqual(LOOPBACK.filter((host) => !isLoopback(host)), []);
  assert.deepEqual([...PRIVATE, ...PUBLIC].filter(isLoopback), []);
});

Deno.test("isLoopbackOrPrivate() knows what stays on the local network", () => {
  assert.deepEqual([...LOOPBACK, ...PRIVATE].filter((host) => !isLoopbackOrPrivate(host)), []);
  assert.deepEqual(PUBLIC.filter(isLoopbackOrPrivate), []);
});

Deno.test("isUnspecified() knows the addresses that stand for all, which are no host of any network", () => {
  const unspecified = ["0.0.0.0", "::", "[::]"];
  assert.deepEqual(unspecified.filter((host) => !isUnspecified(host)), []);
  assert.deepEqual(unspecified.filter(isLoopbackOrPrivate), []);
  assert.deepEqual([...LOOPBACK, ...PRIVATE, ...PUBLIC].filter(isUnspecified), []);
});

Deno.test("hostAndPort() names a URL as a grant of the sandbox does", () => {
  const cases = [
    ["http://127.0.0.1:11434", "127.0.0.1:11434"],
    ["http://nas.local/", "nas.local:80"],
    ["https://api.groq.com", "api.groq.com:443"],
    ["https://api.groq.com:8443/openai", "api.groq.com:8443"],
    ["http://[::1]:8000", "[::1]:8000"],
  ] as const;
  assert.deepEqual(cases.map(([url]) => hostAndPort(url)), cases.map(([, wanted]) => wanted));
});
