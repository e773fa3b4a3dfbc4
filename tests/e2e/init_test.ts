import assert from "node:assert/strict";
import { createFolder, runProgram, writeModels } from "../support/program.ts";

const SHIPPED = new URL("../../config/", import.meta.url);

const PROMPTS = ["persona", "rules"].flatMap((name) => [`prompts/${name}.es.md`, `prompts/${name}.en.md`])
  .concat(["prompts/texts.es.json", "prompts/texts.en.json"]);

Deno.test("init writes a starter that loads, with a .env for its owner only", async () => {
  await using folder = await createFolder();
  const { code, stdout, stderr } = await runProgram(["init"], { folder: folder.path });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    "written  config/models.json",
    "written  config/models.schema.json",
    "written  config/discord.json",
    "written  config/discord.schema.json",
    ...PROMPTS.map((name) => `written  config/${name}`),
    "written  .env",
  ]);
  for (const name of ["models.json", "models.schema.json", "discord.json", "discord.schema.json", ...PROMPTS]) {
    const written = await Deno.readTextFile(`${folder.path}/config/${name}`);
    assert.equal(written, await Deno.readTextFile(new URL(name, SHIPPED)));
  }
  const { mode } = await Deno.stat(`${folder.path}/.env`);
  assert.equal((mode ?? 0o600) & 0o777, 0o600);

  const models = await runProgram(["models", "--json"], { folder: folder.path });
  assert.equal(models.code, 0, models.stderr);
  assert.equal(JSON.parse(models.stdout).profile, "privacy_mode");
  const shown = await runProgram(["models"], { folder: folder.path });
  assert.match(shown.stderr, /from config\/models\.json/);
});

Deno.test("init touches nothing that exists, and writes what is missing", async () => {
  await using folder = await createFolder();
  await writeModels(folder.path, '{ "mine": true }');
  await Deno.writeTextFile(`${folder.path}/.env`, "GROQ_API_KEY=mine\n", { mode: 0o644 });
  const before = await Deno.stat(`${folder.path}/.env`);
  const { code, stderr } = await runProgram(["init"], { folder: folder.path });
  assert.equal(code, 0, stderr);
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    "written  config/models.schema.json",
    "written  config/discord.json",
    "written  config/discord.schema.json",
    ...PROMPTS.map((name) => `written  config/${name}`),
    "kept     config/models.json (it was there already)",
    "kept     .env (it was there already)",
  ]);
  assert.equal(await Deno.readTextFile(`${folder.path}/config/models.json`), '{ "mine": true }');
  assert.equal(await Deno.readTextFile(`${folder.path}/.env`), "GROQ_API_KEY=mine\n");
  assert.equal((await Deno.stat(`${folder.path}/.env`)).mode, before.mode);

  const again = await runProgram(["init"], { folder: folder.path });
  assert.equal(again.code, 0);
  assert.doesNotMatch(again.stderr, /written/);
});

Deno.test("init works where the configuration is broken, because it does not read it", async () => {
  await using folder = await createFolder("{ broken");
  const { code, stderr } = await runProgram(["init"], { folder: folder.path });
  assert.equal(code, 0, stderr);
  assert.equal(await Deno.readTextFile(`${folder.path}/config/models.json`), "{ broken");
});

Deno.test("init where it may not write, or cannot, says so and what to do", async () => {
  await using folder = await createFolder();
  const forbidden = await runProgram(["init", "--config", "elsewhere"], { folder: folder.path });
  assert.equal(forbidden.code, 77, forbidden.stderr);
  assert.match(forbidden.stderr, /Cannot write elsewhere.*\n→ .*permissions\.default\.write/);
  await Deno.writeTextFile(`${folder.path}/config`, "a file where the folder should be");
  const blocked = await runProgram(["init"], { folder: folder.path });
  assert.notEqual(blocked.code, 0);
  assert.notEqual(blocked.code, 1, blocked.stderr);
  assert.match(blocked.stderr, /Cannot write .*config.*\n→ /);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["config"]);
});
