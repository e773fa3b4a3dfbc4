import assert from "node:assert/strict";
import { join } from "node:path";
import { discordSchemaFileText, EMBEDDED_DISCORD_TEXT } from "../../src/config/discord_settings.ts";
import { loadEnv } from "../../src/config/env.ts";
import { EMBEDDED_TEXT, loadConfig } from "../../src/config/load.ts";
import { EMBEDDED_PROMPTS } from "../../src/config/prompts.ts";
import { schemaFileText } from "../../src/config/schema.ts";
import { writeStarter } from "../../src/config/starter.ts";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { inNewFolder, rejection } from "./examples.ts";

Deno.test("writeStarter() writes a configuration and an .env that load", async () => {
  await inNewFolder(async (root) => {
    const [configDir, envPath] = [join(root, "deep", "config"), join(root, ".env")];
    const { written, kept } = await writeStarter({ configDir, envPath });
    const prompts = Object.keys(EMBEDDED_PROMPTS).map((name) => join(configDir, "prompts", name));
    assert.deepEqual(written, [
      join(configDir, "models.json"),
      join(configDir, "models.schema.json"),
      join(configDir, "discord.json"),
      join(configDir, "discord.schema.json"),
      ...prompts,
      envPath,
    ]);
    assert.deepEqual(kept, []);
    assert.equal((await loadConfig({ dir: configDir })).text, EMBEDDED_TEXT);
    assert.equal(await Deno.readTextFile(join(configDir, "models.schema.json")), schemaFileText());
    assert.equal(await Deno.readTextFile(join(configDir, "discord.json")), EMBEDDED_DISCORD_TEXT);
    assert.equal(await Deno.readTextFile(join(configDir, "discord.schema.json")), discordSchemaFileText());
    assert.equal((await loadEnv({ path: envPath })).get("SOMETHING_ELSE"), undefined);
    assert.match(await Deno.readTextFile(envPath), /^# GEMINI_API_KEY=$/m);
  });
});

Deno.test("writeStarter() lets nobody but the owner read .env", { ignore: Deno.build.os === "windows" }, async () => {
  await inNewFolder(async (root) => {
    await writeStarter({ configDir: join(root, "config"), envPath: join(root, ".env") });
    assert.equal(((await Deno.stat(join(root, ".env"))).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("writeStarter() never overwrites, and says what it kept", async () => {
  await inNewFolder(async (root) => {
    const envPath = join(root, ".env");
    await Deno.writeTextFile(envPath, "GROQ_API_KEY=mine");
    await Deno.writeTextFile(join(root, "models.json"), "mine");
    const { written, kept } = await writeStarter({ configDir: root, envPath });
    assert.deepEqual(written.slice(0, 1), [join(root, "models.schema.json")]);
    assert.equal(written.length, 3 + Object.keys(EMBEDDED_PROMPTS).length);
    assert.deepEqual(kept, [join(root, "models.json"), envPath]);
    assert.equal(await Deno.readTextFile(envPath), "GROQ_API_KEY=mine");
    assert.equal(await Deno.readTextFile(join(root, "models.json")), "mine");
    const again = await writeStarter({ configDir: root, envPath });
    assert.deepEqual(again.written, []);
  });
});

Deno.test({
  name: "writeStarter() names the flag when the sandbox refuses",
  permissions: { read: true, write: [] },
  fn: async () => {
    const error = await rejection(writeStarter({ configDir: "/elsewhere", envPath: ".env" }));
    assert(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.remedy ?? "", /--allow-write="\.\/config,\.\/data,\.\/\.env,.*elsewhere"/);
  },
});
