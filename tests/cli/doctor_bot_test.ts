import assert from "node:assert/strict";
import type { Finding } from "../../src/cli/doctor_finding.ts";
import { BOT_ID, BOT_TOKEN, startFakeGateway } from "../support/fake_gateway.ts";
import { startFakeOllama } from "../support/fake_ollama.ts";
import { diagnose, find, modelsOf } from "./doctor_home.ts";

const bits = (...places: number[]) => String(places.reduce((sum, place) => sum | (1n << BigInt(place)), 0n));
const [VIEW, SEND, HISTORY, ADMIN] = [10, 11, 16, 3];

interface Scene {
  readonly flags?: number;
  readonly permissions?: string;
  readonly overwrites?: readonly object[];
  readonly token?: string;
  /** Behind the address of the API. */
  readonly apiUrlEnd?: string;
}

/** What doctor finds of a bot that is in one server with two channels, the second of them with these exceptions. */
async function findingsOf(scene: Scene = {}): Promise<Finding[]> {
  const { flags = (1 << 15) | (1 << 19), permissions = bits(VIEW, SEND, HISTORY), overwrites = [] } = scene;
  await using ollama = startFakeOllama();
  await using discord = await startFakeGateway({
    pages: {
      "/applications/@me": { id: BOT_ID, name: "Django", flags, bot: { id: BOT_ID } },
      "/users/@me/guilds": [{ id: "100", name: "Huerto", permissions }],
      "/guilds/100/channels": [
        { id: "200", type: 0, name: "general" },
        { id: "201", type: 0, name: "avisos", permission_overwrites: overwrites },
        { id: "202", type: 2, name: "voz" },
      ],
      [`/guilds/100/members/${BOT_ID}`]: { roles: ["77"] },
    },
  });
  const env = `DISCORD_BOT_TOKEN=${scene.token ?? BOT_TOKEN}\nDISCORD_API_URL=${discord.apiUrl}${
    scene.apiUrlEnd ?? ""
  }\n`;
  const findings = await diagnose({ models: modelsOf(ollama.origin), env });
  assert.ok(!JSON.stringify(findings).includes(BOT_TOKEN));
  return findings.filter(({ name }) => name.startsWith("bot"));
}

const shown = (findings: readonly Finding[]) => findings.map(({ name, status }) => `${status} ${name}`);

Deno.test("doctor has nothing to say of a bot where all is well, and names the address that invites it", async () => {
  const findings = await findingsOf();
  assert.deepEqual(shown(findings), ["ok bot settings", "ok bot", "ok bot in Huerto"]);
  const { detail } = find(findings, "bot");
  assert.match(detail, new RegExp(`^Django; .*client_id=${BOT_ID}&scope=bot&permissions=\\d+$`));
  assert.match(find(findings, "bot in Huerto").detail, /read and write in 2 channels/);
});

Deno.test("doctor says which intents are off, and where to switch them on", async () => {
  const findings = await findingsOf({ flags: 0 });
  assert.deepEqual(shown(findings), [
    "ok bot settings",
    "ok bot",
    "fail bot intents",
    "warn bot intents",
    "ok bot in Huerto",
  ]);
  assert.match(findings[2]?.remedy ?? "", /Message Content: https:\/\/discord\.com\/developers/);
});

Deno.test("doctor knows where the bot may speak, by what holds for everybody, its roles and itself", async () => {
  const deny = (id: string, ...places: number[]) => ({ id, deny: bits(...places), allow: "0" });
  const allow = (id: string, ...places: number[]) => ({ id, allow: bits(...places), deny: "0" });
  const cases: [scene: Scene, detail: RegExp][] = [
    [{ overwrites: [deny("100", SEND)] }, /in 1 channel, but not in #avisos/],
    [{ overwrites: [deny("100", SEND), allow("77", SEND)] }, /in 2 channels/],
    [{ overwrites: [deny("77", SEND), allow(BOT_ID, SEND)] }, /in 2 channels/],
    [{ overwrites: [deny("99", SEND)] }, /in 2 channels/],
    [{ overwrites: [deny("100", VIEW)] }, /in 1 channel$/],
    [{ overwrites: [deny("100", VIEW)], permissions: bits(ADMIN) }, /in 2 channels/],
    [{ permissions: bits(VIEW) }, /it can speak in no channel/],
  ];
  for (const [scene, detail] of cases) {
    assert.match(find(await findingsOf(scene), "bot in Huerto").detail, detail, JSON.stringify(scene));
  }
});

Deno.test("doctor says that Discord refuses the token, and that there is no bot without one", async () => {
  const findings = await findingsOf({ token: "wrong" });
  const { status, detail, remedy, exitCode } = find(findings, "bot");
  assert.deepEqual([status, exitCode], ["fail", 77]);
  assert.match(`${detail} ${remedy}`, /does not accept the bot's token.*Reset Token/);
  await using ollama = startFakeOllama();
  const none = await diagnose({ models: modelsOf(ollama.origin), env: "" });
  assert.match(find(none, "bot").detail, /^none/);
});

Deno.test("doctor takes token and address as the bot does, as people copy them", async () => {
  for (const apiUrlEnd of ["", "/", "/v10", "/v9/"]) {
    const findings = await findingsOf({ token: `Bot ${BOT_TOKEN}`, apiUrlEnd });
    assert.equal(find(findings, "bot").status, "ok", apiUrlEnd);
  }
  const { status, detail } = find(await findingsOf({ token: "clave-ñ" }), "bot");
  assert.deepEqual([status, detail], ["fail", "DISCORD_BOT_TOKEN has characters that no token has"]);
});

Deno.test("doctor sends the token nowhere where it must not go", async () => {
  await using ollama = startFakeOllama();
  const env = `DISCORD_BOT_TOKEN=${BOT_TOKEN}\nDISCORD_API_URL=http://example.org/api\n`;
  const { status, detail } = find(await diagnose({ models: modelsOf(ollama.origin), env }), "bot");
  assert.equal(status, "fail");
  assert.match(detail, /^Cannot use DISCORD_API_URL: .*unencrypted/);
});
