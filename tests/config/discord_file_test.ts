import assert from "node:assert/strict";
import { join } from "node:path";
import { DiscordFile } from "../../src/config/discord_file.ts";
import { EMBEDDED_DISCORD_TEXT } from "../../src/config/discord_settings.ts";
import { AgentError, ConfigError } from "../../src/core/errors.ts";
import { inNewFolder, rejection } from "./examples.ts";

interface Scene {
  readonly path: string;
  readonly file: DiscordFile;
  /** What was told, one line each; waits for the next line. */
  next(): Promise<string>;
}

/** Runs `work` while the settings of a new folder are watched; `text` stands in its file beforehand. */
async function whileWatching(text: string | undefined, work: (scene: Scene) => Promise<void>): Promise<void> {
  await inNewFolder(async (dir) => {
    const path = join(dir, "discord.json");
    if (text !== undefined) await Deno.writeTextFile(path, text);
    let told = Promise.withResolvers<string>();
    const tell = (line: string) => told.resolve(line);
    const file = await DiscordFile.open({
      dir,
      debounceMs: 20,
      pollMs: 3_600_000, // only events, so that no test lives on the poll
      warn: (message, remedy) => tell(`${message} → ${remedy}`),
      onChange: (changed) => tell(changed.join(" ")),
    });
    const next = async () => {
      const tooLate = setTimeout(() => told.reject(new Error("nothing was told")), 10_000);
      const line = await told.promise.finally(() => clearTimeout(tooLate));
      told = Promise.withResolvers();
      return line;
    };
    const ending = new AbortController();
    const watching = file.watch(ending.signal);
    try {
      await work({ path, file, next });
    } finally {
      ending.abort();
      await watching;
    }
  });
}

Deno.test("DiscordFile.open() takes the embedded defaults where there is no file", async () => {
  await inNewFolder(async (dir) => {
    const file = await DiscordFile.open({ dir, warn: () => {} });
    assert.deepEqual(file.current.names, ["Django"]);
  });
});

Deno.test("DiscordFile.open() refuses a file it cannot use, and names it", async () => {
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "discord.json"), '{ "nmes": [] }');
    const error = await rejection(DiscordFile.open({ dir, warn: () => {} }));
    assert(error instanceof ConfigError);
    assert.match(error.message, /discord\.json:\n {2}nmes: /);
  });
});

Deno.test("DiscordFile.watch() takes up what changes, and leaves who began before with what was", async () => {
  await whileWatching('{ "names": ["Ana"] }', async ({ path, file, next }) => {
    const before = file.current;
    await Deno.writeTextFile(path, '{ "names": ["Eva"], "ambient": { "default": "on" } }');
    assert.equal(await next(), "names ambient");
    assert.deepEqual(before.names, ["Ana"]);
    assert.deepEqual(file.current.names, ["Eva"]);
    assert.equal(file.current.ambient.default, "on");
  });
});

Deno.test("DiscordFile.watch() takes up a file that was not there, and keeps to it when it goes away", async () => {
  await whileWatching(undefined, async ({ path, file, next }) => {
    await Deno.writeTextFile(path, '{ "cooldown_seconds": 1 }');
    assert.equal(await next(), "cooldown_seconds");
    await Deno.remove(path);
    await Deno.writeTextFile(path, '{ "cooldown_seconds": 2 }');
    assert.equal(await next(), "cooldown_seconds");
    assert.equal(file.current.cooldown_seconds, 2);
  });
});

Deno.test("DiscordFile.watch() tells of a broken file and goes on with the settings before", async () => {
  await whileWatching(EMBEDDED_DISCORD_TEXT, async ({ path, file, next }) => {
    const before = file.current;
    await Deno.writeTextFile(path, '{ "cooldown_seconds": "soon", "x": 1 }');
    const line = await next();
    assert.match(
      line,
      /discord\.json:\n {2}cooldown_seconds: .*\n {2}x: .* → Correct it; until then the settings before/,
    );
    assert.equal(file.current, before);
    await Deno.writeTextFile(path, '{ "reading_speed": 0 }');
    assert.equal(await next(), "reading_speed");
  });
});

Deno.test("DiscordFile.watch() is silent about comments", async () => {
  await whileWatching('{ "names": ["Ana"] }', async ({ path, file, next }) => {
    const before = file.current;
    await Deno.writeTextFile(path, '{ "names": ["Ana"] } // ours');
    while (file.current === before) await new Promise((resolve) => setTimeout(resolve, 5));
    await Deno.writeTextFile(path, '{ "names": [] }');
    assert.equal(await next(), "names");
  });
});

Deno.test({
  name: "DiscordFile.open() says so when the sandbox refuses the folder",
  permissions: { read: [] },
  fn: async () => {
    const error = await rejection(DiscordFile.open({ dir: "elsewhere", warn: () => {} }));
    assert(error instanceof AgentError);
    assert.equal(error.exitCode, 77);
  },
});
