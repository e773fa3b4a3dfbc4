/** A Discord, a folder whose .env knows its webhook, and the program run in it. */
import assert from "node:assert/strict";
import { type FakeDiscord, type FakeDiscordOptions, startFakeDiscord, WEBHOOK_TOKEN } from "../support/fake_discord.ts";
import { createFolder, type Finished, type RunOptions, runProgram, startProgram } from "../support/program.ts";

export interface PostWorld extends AsyncDisposable {
  readonly discord: FakeDiscord;
  readonly folder: string;
  /** Runs `post` to its end, and makes sure that the webhook's token is nowhere in what it says. */
  post(args: readonly string[], options?: Partial<RunOptions>): Promise<Finished>;
  start(args: readonly string[], options?: Partial<RunOptions>): ReturnType<typeof startProgram>;
  write(name: string, content: string | Uint8Array): Promise<void>;
  /** Payloads of the messages that are there, without what every message carries. */
  payloads(): Record<string, unknown>[];
}

/** What every message carries without any option. */
export const USUAL = { username: "Django", allowed_mentions: { parse: [] } };

export async function createPostWorld(options: FakeDiscordOptions = {}): Promise<PostWorld> {
  const discord = startFakeDiscord(options);
  const folder = await createFolder();
  const write = (name: string, content: string | Uint8Array) =>
    typeof content === "string"
      ? Deno.writeTextFile(`${folder.path}/${name}`, content)
      : Deno.writeFile(`${folder.path}/${name}`, content);
  await write(".env", `DISCORD_WEBHOOK_URL=${discord.webhookUrl}\nDISCORD_API_URL=${discord.origin}\n`);
  return {
    discord,
    folder: folder.path,
    write,
    start: (args, more = {}) => startProgram(["post", ...args], { folder: folder.path, ...more }),
    async post(args, more = {}) {
      const finished = await runProgram(["post", ...args], { folder: folder.path, ...more });
      assert.ok(!`${finished.stdout}${finished.stderr}`.includes(WEBHOOK_TOKEN), "the token is shown");
      return finished;
    },
    payloads: () =>
      discord.messages.map(({ payload: { username, allowed_mentions, ...rest } }) => {
        assert.deepEqual({ username, allowed_mentions }, USUAL);
        return rest;
      }),
    async [Symbol.asyncDispose]() {
      await discord.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The words of a command line, as a shell reads them. */
export async function shellWords(line: string): Promise<string[]> {
  const script = `set -- ${line}; for word; do printf '%s\\0' "$word"; done`;
  const { code, stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  assert.equal(code, 0, line);
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}

/** Text of so many letters, every word of it another. */
export function longText(letters: number): string {
  let text = "";
  for (let word = 0; text.length < letters; word++) text += `word${word} `;
  return text.slice(0, letters - 1) + ".";
}
