import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { CLOUD_HOSTS, DISCORD_HOSTS, revokeHosts, type SealOptions } from "../../src/privacy/egress.ts";
import type { Outcome } from "./seal_probe.ts";

const PROBE = fileURLToPath(new URL("seal_probe.ts", import.meta.url));
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];
const OLLAMA = "127.0.0.1:11434";
/** The hosts of deno.json: what the program is granted from source. */
const PROJECT_NET = project.permissions.default.net;

const QUIET: SealOptions = {
  cloud: false,
  discord: false,
  noSandbox: false,
  telemetry: { enabled: false, endpoint: null },
  loopbackIsDirect: true,
};

/**
 * Seals a process that was started with these hosts, or with exactly these flags; `kept` is what it keeps of its hosts
 * afterwards, empty for none.
 */
async function seal(
  grants: { net: readonly string[] } | { flags: string[] },
  { kept, ...options }: Partial<SealOptions> & { kept?: string } = {},
) {
  const flags = "flags" in grants ? grants.flags : [`--allow-net=${grants.net.join(",")}`];
  const sealing = JSON.stringify({ ...QUIET, ...options });
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-check",
      "--no-prompt",
      "--cached-only",
      ...flags,
      PROBE,
      sealing,
      ...(kept === undefined ? [] : [kept]),
    ],
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  assert.notEqual(stdout.length, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as Outcome;
}

function refused({ error, seal }: Outcome, message: RegExp, remedy: RegExp): void {
  assert.equal(seal, undefined);
  assert.equal(error?.exitCode, 77);
  assert.match(error.message, message);
  assert.match(error.remedy, remedy);
}

Deno.test("sealProcess() gives up the clouds and Discord, and keeps this machine", async () => {
  assert.deepEqual(await seal({ net: PROJECT_NET }), {
    seal: { sealed: true, sandboxed: true },
    reachable: [OLLAMA],
    imports: false,
  });
});

Deno.test("sealProcess() gives up fetching code, which Deno allows from a few hosts by itself", async () => {
  for (const flags of [[], ["--allow-import"], ["--allow-import=raw.githubusercontent.com:443"]]) {
    const all = [`--allow-net=${[...LOCAL, ...CLOUD_HOSTS]}`, ...flags];
    for (const cloud of [false, true]) assert.equal((await seal({ flags: all }, { cloud })).imports, false);
    assert.equal((await seal({ flags: ["--allow-net", ...flags] })).imports, true);
  }
});

Deno.test("sealProcess() keeps Discord for a run that talks to it, and nothing of the clouds", async () => {
  const { seal: sealed, reachable } = await seal({ net: PROJECT_NET }, { discord: true });
  assert.deepEqual(sealed, { sealed: true, sandboxed: true });
  assert.deepEqual(reachable, [...DISCORD_HOSTS, OLLAMA]);
});

Deno.test("keepOnlyHost() leaves a process the one host that it posts to", async () => {
  const cases: [kept: string, reachable: string[]][] = [
    ["discord.com:443", ["discord.com:443"]],
    [OLLAMA, [OLLAMA]],
    ["127.0.0.1:3001", [OLLAMA]], // loopback is granted without a port
    ["localhost:3001", []],
    ["", []],
  ];
  for (const [kept, reachable] of cases) {
    for (const cloud of [false, true]) {
      assert.deepEqual((await seal({ net: PROJECT_NET }, { discord: true, cloud, kept })).reachable, reachable, kept);
    }
  }
});

Deno.test("keepOnlyHost() gives up nothing that a person granted beside the usual hosts", async () => {
  const { reachable } = await seal({ net: [...PROJECT_NET, "example.com:443"] }, {
    discord: true,
    kept: "example.com:443",
  });
  assert.deepEqual(reachable, ["example.com:443"]);
});

Deno.test("the permission set of post allows Discord's API and no other host", async () => {
  assert.deepEqual(project.permissions.post.net, ["discord.com:443"]);
  const { seal: sealed, reachable } = await seal({ net: project.permissions.post.net }, { discord: true });
  assert.deepEqual([sealed?.sealed, reachable], [true, ["discord.com:443"]]);
});

Deno.test("sealProcess() with --cloud keeps the clouds, says so, and still gives up Discord", async () => {
  const { seal: sealed, reachable } = await seal({ net: PROJECT_NET }, { cloud: true });
  assert.deepEqual(sealed, { sealed: false, sandboxed: true });
  assert.deepEqual(reachable, [...CLOUD_HOSTS, OLLAMA]);
});

Deno.test("sealProcess() gives up a grant that is wider than the host it covers", async () => {
  for (const wide of ["api.groq.com", "*.groq.com", "*.groq.com:443"]) {
    const { seal: sealed, reachable } = await seal({ net: [...LOCAL, wide, ...CLOUD_HOSTS] });
    assert.deepEqual([sealed?.sealed, reachable], [true, [OLLAMA]], wide);
  }
});

Deno.test("sealProcess() leaves hosts alone that a person granted beside the usual ones", async () => {
  const { seal: sealed, reachable } = await seal({ net: [...LOCAL, ...CLOUD_HOSTS, "example.com:443"] });
  assert.deepEqual([sealed?.sealed, reachable], [true, [OLLAMA, "example.com:443"]]);
});

Deno.test("sealProcess() refuses permissions under which no seal can hold, and names them", async () => {
  const cases: [string[], RegExp][] = [
    [["-A"], /with --allow-net, --allow-run, --allow-ffi for everything/],
    [["--allow-net"], /with --allow-net for everything/],
    [["--allow-net", "--deny-net=api.groq.com:443"], /with --allow-net for everything/],
    [[`--allow-net=${LOCAL}`, "--allow-run"], /with --allow-run for everything/],
    [[`--allow-net=${LOCAL}`, "--allow-ffi"], /with --allow-ffi for everything/],
  ];
  for (const [flags, message] of cases) {
    for (const cloud of [false, true]) {
      refused(await seal({ flags }, { cloud }), message, /deno task agent.*--no-sandbox/);
    }
  }
});

Deno.test("sealProcess() goes on unsealed with --no-sandbox, and never calls that sealed", async () => {
  for (const flags of [["-A"], ["--allow-net"], [`--allow-net=${LOCAL}`, "--allow-run"]]) {
    const { seal: sealed } = await seal({ flags }, { noSandbox: true });
    assert.deepEqual(sealed, { sealed: false, sandboxed: false });
  }
});

Deno.test("sealProcess() seals all the same when --no-sandbox is given inside the sandbox", async () => {
  const { seal: sealed, reachable } = await seal({ net: PROJECT_NET }, { noSandbox: true });
  assert.deepEqual([sealed, reachable], [{ sealed: true, sandboxed: true }, [OLLAMA]]);
});

Deno.test("sealProcess() refuses --cloud where the sandbox contains no cloud", async () => {
  refused(
    await seal({ net: [...LOCAL, ...DISCORD_HOSTS] }, { cloud: true }),
    /built without the right to reach any cloud/,
    /deno task compile --cloud/,
  );
  const { seal: sealed, reachable } = await seal({ net: [...LOCAL, "api.groq.com:443"] }, { cloud: true });
  assert.deepEqual([sealed?.sealed, reachable], [false, ["api.groq.com:443", OLLAMA]]);
});

Deno.test("sealProcess() refuses a proxy that would carry loopback traffic, and has given the clouds up by then", async () => {
  const outcome = await seal({ net: PROJECT_NET }, { loopbackIsDirect: false });
  refused(outcome, /proxy/, /HTTP_PROXY.*NO_PROXY/);
  assert.deepEqual(outcome.reachable, [OLLAMA]);
});

Deno.test("sealProcess() refuses telemetry that leaves this machine", async (t) => {
  const cases: [string | null, boolean, boolean][] = [
    ["http://192.0.2.1:4318", true, false],
    ["https://otel.example.com", true, false],
    ["http://192.168.1.20:4318", true, false],
    ["(an address that cannot be read)", true, false],
    ["http://127.0.0.1:4318", true, true],
    ["http://[::1]:4318", true, true],
    [null, true, true],
    ["https://otel.example.com", false, true],
  ];
  for (const [endpoint, enabled, allowed] of cases) {
    await t.step(`${endpoint}${enabled ? "" : ", switched off"}`, async () => {
      const outcome = await seal({ net: PROJECT_NET }, { telemetry: { enabled, endpoint } });
      if (allowed) assert.deepEqual(outcome.seal, { sealed: true, sandboxed: true });
      else refused(outcome, /telemetry/i, /OTEL_/);
    });
  }
});

Deno.test("revokeHosts() says so when a right survives being given up", async () => {
  // Tests run with every permission, and of that Deno takes no single host away.
  await assert.rejects(revokeHosts(["cloud.example.com:443"]), (error: AgentError) => {
    assert.ok(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.message, /cloud\.example\.com:443 could not be given up/);
    return true;
  });
});
