import assert from "node:assert/strict";
import { parseCompileArguments } from "../../src/compile.ts";
import { HOST_OPTIONS, type HostOption, howToAllow } from "../../src/core/sandbox.ts";
import { actAsBinary } from "../support/standalone.ts";

const AGAIN = "build the binary again (deno task compile) with every option it was built with";

Deno.test("howToAllow() names deno.json and the flag, whatever is to be allowed, when it runs from source", () => {
  for (const option of [undefined, ...HOST_OPTIONS]) {
    assert.equal(
      howToAllow("192.168.1.20:1", option),
      'To allow it, add "192.168.1.20:1" to permissions.default.net in deno.json, or run with ' +
        "--allow-net=192.168.1.20:1.",
    );
  }
});

Deno.test("howToAllow() names the option of the build in a binary, and that the others are needed again", () => {
  using _binary = actAsBinary();
  assert.equal(
    howToAllow("192.168.1.20:11434", "ollama"),
    `To allow it, ${AGAIN}, and --ollama 192.168.1.20:11434 besides.`,
  );
});

Deno.test("howToAllow() names deno.json in a binary when no option is for what is there", () => {
  using _binary = actAsBinary();
  assert.equal(
    howToAllow("nas.lan:3000"),
    `To allow it, add "nas.lan:3000" to permissions.default.net in deno.json, and ${AGAIN}.`,
  );
});

const HOSTS = [
  "127.0.0.2:1",
  "nas:1",
  "[fd00::20]:1",
  "0.0.0.0:8000",
  "[::]:8000",
  "192.168.1.20:0",
  "0.0.0.0:0",
  "8.8.8.8:53",
  "[2606:4700::1111]:1",
  "db.example.com:5432",
];

function isTaken(option: HostOption, host: string): boolean {
  try {
    return parseCompileArguments([`--${option}`, host]).hosts?.join() === host;
  } catch {
    return false;
  }
}

Deno.test("howToAllow() names an option exactly where `deno task compile` takes it", () => {
  using _binary = actAsBinary();
  const pairs = HOST_OPTIONS.flatMap((option) => HOSTS.map((host) => ({ option, host })));
  const taken = pairs.filter(({ option, host }) => isTaken(option, host));
  assert.equal(taken.length, 3 * 3 + 2);
  assert.deepEqual(
    pairs.filter(({ option, host }) => howToAllow(host, option).includes(`--${option} ${host}`)),
    taken,
  );
});
