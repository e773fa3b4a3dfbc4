import assert from "node:assert/strict";
import { checkDisk, checkProxies, checkSeal, checkTelemetry, describeSpace } from "../../src/cli/doctor_checks.ts";
import { EXIT } from "../../src/core/errors.ts";

const denied = { host: "api.groq.com:443", state: "denied" } as const;
const allowed = { host: "discord.com:443", state: "allowed" } as const;

Deno.test("checkSeal() believes the sandbox, not the intention", () => {
  const status = (sealed: boolean, sandboxed: boolean, ...grants: Parameters<typeof checkSeal>[1]) =>
    checkSeal({ sealed, sandboxed }, grants, []).status;
  assert.equal(status(true, true, denied), "ok");
  assert.equal(status(true, true, denied, allowed), "fail");
  assert.equal(status(false, true, denied, allowed), "ok");
  assert.equal(status(false, false, denied), "warn");
});

Deno.test("checkSeal() names the hosts", () => {
  assert.match(checkSeal({ sealed: true, sandboxed: true }, [denied], []).detail, /denies api\.groq\.com:443/);
  const open = checkSeal({ sealed: false, sandboxed: true }, [denied, allowed], []);
  assert.match(open.detail, /allows discord\.com:443$/);
  const bot = checkSeal({ sealed: true, sandboxed: true }, [denied, allowed], ["discord.com:443"]);
  assert.equal(bot.status, "ok");
  assert.match(bot.detail, /denies api\.groq\.com:443; it allows discord\.com:443, for the bot$/);
  assert.equal(checkSeal({ sealed: true, sandboxed: true }, [{ ...denied, state: "allowed" }], []).status, "fail");
});

Deno.test("checkProxies() fails when a proxy would carry requests to this machine", () => {
  assert.equal(checkProxies([], true).status, "ok");
  assert.match(checkProxies(["HTTP_PROXY", "all_proxy"], true).detail, /^HTTP_PROXY, all_proxy set/);
  assert.equal(checkProxies(["HTTP_PROXY"], true).status, "ok");
  const { status, exitCode, remedy } = checkProxies(["HTTP_PROXY"], false);
  assert.deepEqual([status, exitCode], ["fail", EXIT.permission]);
  assert.match(remedy ?? "", /Unset HTTP_PROXY/);
});

Deno.test("checkTelemetry() tells reports on this machine from those to another", () => {
  assert.equal(checkTelemetry({ enabled: false, endpoint: "https://collector.example.com" }).status, "ok");
  assert.equal(checkTelemetry({ enabled: true, endpoint: null }).status, "warn");
  assert.equal(checkTelemetry({ enabled: true, endpoint: "http://localhost:4318" }).status, "warn");
  for (const endpoint of ["https://collector.example.com", "(an address that cannot be read)"]) {
    const { status, exitCode, detail } = checkTelemetry({ enabled: true, endpoint });
    assert.deepEqual([status, exitCode], ["fail", EXIT.permission]);
    assert.ok(detail.includes(endpoint));
  }
});

Deno.test("describeSpace() warns below one gibibyte", () => {
  assert.equal(describeSpace("data", 1024 ** 3).status, "ok");
  assert.equal(describeSpace("data", 1024 ** 3 - 1).status, "warn");
  assert.match(describeSpace("data", 2.5 * 1024 ** 3).detail, /2\.5 GiB free at data/);
});

Deno.test("checkDisk() warns when the space cannot be found out", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assert.match((await checkDisk(folder)).detail, /^\d+\.\d GiB free/);
    assert.equal((await checkDisk(`${folder}/nowhere`)).status, "warn");
  } finally {
    await Deno.remove(folder);
  }
});

Deno.test({
  name: "checkDisk() warns when the sandbox does not let it be asked for",
  permissions: { read: true, sys: false },
  fn: async () => {
    const { status, detail, remedy } = await checkDisk(".");
    assert.equal(status, "warn");
    assert.match(detail, /sandbox/);
    assert.match(remedy ?? "", /permissions\.default\.sys/);
  },
});
