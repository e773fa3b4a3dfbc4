/** What leaves the program, as the kernel sees it: in a network of its own, where everybody would answer. */
import assert from "node:assert/strict";
import { CLOUD_HOSTS } from "../../src/privacy/egress.ts";
import { buildProgram } from "../support/compiled_program.ts";
import { IN_OWN_NETWORK, networkMissing } from "../support/own_network.ts";
import { startScript } from "../support/script.ts";
import { skipped } from "../support/skipped.ts";
import { type Contact, describeContact, staysHere } from "../support/strace.ts";
import { CLOUDS, type Egress } from "./egress_world.ts";

const ignore = skipped(networkMissing);
const NAMES: readonly string[] = Object.keys(CLOUDS);
const SERVERS: readonly string[] = Object.values(CLOUDS);

/** @param program the words that start it; from source unless given */
async function play(scene: string, program: readonly string[] = []): Promise<Egress> {
  await using script = startScript("e2e/egress_scenes.ts", { args: [scene, ...program], before: IN_OWN_NETWORK });
  return JSON.parse(await script.end());
}

/** Everything by which a program that is to stay on this machine did not. */
function leaksOf({ contacts, questions, packets }: Egress): string[] {
  return [
    ...contacts.filter((contact) => !staysHere(contact) || asksNames(contact)).map(describeContact),
    ...questions.map((question) => `asked for ${question}`),
    ...(packets === 0 ? [] : [`sent packets: ${packets}`]),
  ];
}

/** Even a name server on this machine passes on what it is asked. */
function asksNames({ family, port }: Contact): boolean {
  return family !== "AF_UNIX" && port === 53;
}

/** The same where the two clouds may be reached: nothing else, and nobody else's name. */
function leaksBesideClouds({ contacts, questions, packets }: Egress): string[] {
  return leaksOf({
    contacts: contacts.filter((contact) => !(asksNames(contact) && staysHere(contact)) && !reachesCloud(contact)),
    questions: questions.filter((question) => !NAMES.includes(question.split(" ")[1] ?? "")),
    packets,
  });
}

function reachesCloud({ call, family, address, port }: Contact): boolean {
  return call === "connect" && family === "AF_INET" && SERVERS.includes(address) && port === 443;
}

/** That the scene has been seen at all: a trace without the program's own listening and asking proves nothing. */
function assertAlive({ contacts }: Egress): void {
  const calls = contacts.filter(({ address }) => address === "127.0.0.1").map(({ call }) => call);
  assert.ok(calls.includes("bind") && calls.includes("connect"), JSON.stringify(contacts));
}

async function assertSealed(program?: readonly string[]): Promise<void> {
  const egress = await play("sealed", program);
  assertAlive(egress);
  assert.deepEqual(leaksOf(egress), []);
}

async function assertOnlyClouds(program?: readonly string[]): Promise<void> {
  const egress = await play("cloud", program);
  assertAlive(egress);
  assert.deepEqual(leaksBesideClouds(egress), []);
  const reached = new Set(egress.contacts.filter(reachesCloud).map(({ address }) => address));
  assert.deepEqual([...reached].sort(), [...SERVERS].sort());
  assert.deepEqual(NAMES.filter((name) => !egress.questions.includes(`A ${name}`)), []);
}

Deno.test("the two hosts of the scene are the two that the program declares", () => {
  assert.deepEqual(NAMES.map((name) => `${name}:443`), [...CLOUD_HOSTS]);
});

Deno.test({
  name: "a program that asks a name server, connects, or sends a datagram is caught",
  ignore,
  fn: async () => {
    const egress = await play("control");
    const leaks = leaksOf(egress);
    const missing = [
      "asked for A somewhere.example",
      "connect AF_INET 127.0.0.1 port 53",
      "connect AF_INET 192.0.2.99 port 80",
      "connect AF_INET 192.0.2.7 port 80",
      "connect AF_INET6 2001:db8::1 port 80",
      "sendto AF_INET 192.0.2.8 port 9",
      "connect AF_UNIX /nowhere/resolver",
    ].filter((leak) => !leaks.includes(leak));
    assert.deepEqual(missing, [], leaks.join("\n"));
    assert.match(leaks.join("\n"), /^sent packets: [1-9]/m);
    // Where the clouds may be reached, asking the name server may be, too: for their names.
    const beside = leaksBesideClouds(egress);
    assert.deepEqual(leaks.filter((leak) => !beside.includes(leak)), ["connect AF_INET 127.0.0.1 port 53"]);
  },
});

Deno.test({
  name: "serve, sealed: no connect, no name asked for, no packet to anything but loopback, whatever tempts it",
  ignore,
  fn: () => assertSealed(),
});

Deno.test({
  name: "serve --cloud: the two declared hosts, and nobody else",
  ignore,
  fn: () => assertOnlyClouds(),
});

Deno.test({
  name: "the compiled program: the same",
  ignore,
  fn: async (t) => {
    await using local = await buildProgram([]);
    await using cloud = await buildProgram(["--cloud"]);
    await t.step("built without the cloud, sealed", () => assertSealed(local.program));
    await t.step("built with --cloud, serve --cloud", () => assertOnlyClouds(cloud.program));
    await t.step("built without the cloud, asked for it: exit 77, and nothing has left", async () => {
      assert.deepEqual(leaksOf(await play("refused", local.program)), []);
    });
  },
});
