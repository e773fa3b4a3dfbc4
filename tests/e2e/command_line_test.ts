/** What a person at the keyboard and a script see of the command line. How it is read is in tests/cli. */
import assert from "node:assert/strict";
import { projectPath } from "../support/paths.ts";
import { createFolder, type Finished, runProgram } from "../support/program.ts";
import { createWorld } from "./setup.ts";

const ENV = { DISCORD_WEBHOOK_URL: "https://discord.com/api/webhooks/1/tok" };
const COMMANDS = ["serve", "ask", "chat", "bot", "post", "learn", "memory", "models", "usage", "doctor", "privacy"]
  .concat(["service", "init"]);

type Run = (...args: string[]) => Promise<Finished>;

async function inFolder(use: (run: Run) => Promise<void>): Promise<void> {
  await using folder = await createFolder();
  await use((...args) => runProgram(args, { folder: folder.path, env: ENV }));
}

Deno.test("--version and -V print the version, wherever they stand", () =>
  inFolder(async (run) => {
    for (const args of [["--version"], ["-V"], ["--config", "x", "-V"], ["ask", "hi", "--version"]]) {
      const { code, stdout, stderr } = await run(...args);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    }
  }));

Deno.test("the help of the program names every command, an example and the exit codes", () =>
  inFolder(async (run) => {
    const { code, stdout, stderr } = await run("--help");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^ {2}${command}[^\\n]* {2}[A-Z]`, "m"));
    for (const option of ["--config <dir>", "--data <dir>", "--cloud", "--no-sandbox", "-h, --help", "-V, --version"]) {
      assert.ok(stdout.includes(`\n  ${option}  `), option);
    }
    const listed = /\nCommands:\n(.*?)\n\n/s.exec(stdout)?.[1]?.match(/^ {2}[a-z]+/gm)?.map((word) => word.trim());
    assert.deepEqual(listed, [...COMMANDS, "help"]);
    const readme = await Deno.readTextFile(projectPath("README.md"));
    for (const command of COMMANDS) assert.match(readme, new RegExp(`^\\| \`${command}[ \`]`, "m"));
    assert.match(stdout, /\nExample:\n {2}django-agent ask "/);
    assert.match(stdout, /\nExit codes: 0 done .* 64 wrong usage /);
    for (const args of [["-h"], ["help"], ["--cloud", "--help"]]) assert.equal((await run(...args)).stdout, stdout);
  }));

Deno.test("the help of a command shows its options, the global ones and examples", () =>
  inFolder(async (run) => {
    const { code, stdout, stderr } = await run("help", "post");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^Usage: django-agent post \[options\] \[text\]\n/);
    const parts = ["Arguments", "Message", "Embed", "Delivery", "Global Options", "Example"];
    const places = parts.map((part) => stdout.indexOf(`\n${part}:\n`));
    assert.deepEqual(places, places.filter((place) => place > 0).toSorted((a, b) => a - b));
    assert.match(stdout, /\n {2}--timestamp \[when\] +a time in the small print/);
    assert.match(stdout, /\n {2}--no-sandbox +go on although/);
    assert.match(stdout, /\n {2}django-agent post "The backup is done\."\n/);
    for (const args of [["post", "hola", "-h"], ["post", "--nope", "--help"]]) {
      assert.equal((await run(...args)).stdout, stdout);
    }
    assert.match((await run("models", "help", "test")).stdout, /^Usage: django-agent models test \[options\] \[prov/);
    assert.match(
      (await run("usage", "show", "--help")).stdout,
      /--by <what> .*\(choices: "day", [^)]*default: "day"\)/s,
    );
  }));

Deno.test("wrong usage is told on standard error, with what was meant and where to look", () =>
  inFolder(async (run) => {
    const cases: [string[], RegExp][] = [
      [["psot", "hola"], /^error: unknown command 'psot'\. Did you mean "post"\?$/m],
      [["help", "psot"], /unknown command 'psot'/],
      [["post", "hola", "--dry-run", "--skipParts", "1"], /'--skipParts'\. Did you mean "--skip-parts"\?/],
      [["post", "--titel", "x"], /unknown option '--titel'\. Did you mean "--title"\?/],
      [["post", "a", "b"], /too many arguments for 'post'/],
      [["post", "--title"], /option '--title <text>' argument missing/],
      [["--config"], /option '--config <dir>' argument missing/],
      [["serve", "--port", "http"], /option '--port <number>' argument 'http' is invalid\. It must be a port/],
      [["usage", "--by", "moon"], /option '--by <what>' argument 'moon' is invalid\. Allowed choices are day, /],
      [["usage", "--csv", "--json"], /option '--csv' cannot be used with option '--json'/],
      [["chat", "--api", "http://127.0.0.1:1", "--profile", "x"], /'--profile' cannot be used with option '--api'/],
      [["memory"], /a command is missing after 'memory'/],
    ];
    for (const [args, wanted] of cases) {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 64, stderr);
      assert.match(stderr, wanted);
      assert.match(stderr, /\n→ Add --help for the options and an example\.\n/);
      if (!args.includes("--json")) assert.equal(stdout, "");
    }
  }));

Deno.test("wrong usage is a document with --json, which post calls --json-output", () =>
  inFolder(async (run) => {
    for (const args of [["usage", "prune", "--json"], ["post", "a", "b", "--json-output"], ["models", "x", "--json"]]) {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 64, stderr);
      const { error, ...others } = JSON.parse(stdout);
      assert.deepEqual(Object.keys(others), []);
      assert.deepEqual(Object.keys(error), ["message", "exit_code", "remedy"]);
      assert.equal(error.exit_code, 64);
      assert.ok(stderr.startsWith(`error: ${error.message}\n`), stderr);
    }
    assert.equal((await run("post", "a", "b", "--json", "x.json")).stdout, "");
  }));

Deno.test("what is echoed cannot move a terminal's cursor", () =>
  inFolder(async (run) => {
    for (const args of [["\u001b[2Jx"], ["ask", "--\u001b[2J"], ["ask", "hi", "--role", "\u001b]0;x\u0007"]]) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 64);
      assert.ok(!/(?!\n)\p{Cc}/u.test(stderr), JSON.stringify(stderr));
    }
  }));

Deno.test("post takes values as they are, in either way of writing", () =>
  inFolder(async (run) => {
    const post = async (...args: string[]) => {
      const { code, stdout, stderr } = await run("--data", "d", "post", "--dry-run", ...args, "--config=c", "--cloud");
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout.slice(stdout.indexOf("\n\n")));
    };
    assert.equal((await post("--title", "- list")).embeds[0].title, "- list");
    assert.equal((await post("--title=-x")).embeds[0].title, "-x");
    assert.equal((await post("--title", "--silent")).embeds[0].title, "--silent");
    assert.equal((await post("--title=a\nb")).embeds[0].title, "a\nb");
    assert.equal((await post("-5 degrees")).content, "-5 degrees");
    const fields = (await post("--field", "a|b", "--field=c|d", "--timestamp", "2026-01-31T12:00:00Z")).embeds[0];
    assert.deepEqual(fields.fields, [{ name: "a", value: "b" }, { name: "c", value: "d" }]);
    assert.equal(fields.timestamp, "2026-01-31T12:00:00.000Z");
    for (const args of [["--timestamp"], ["--timestamp=now"], ["--timestamp", "--silent"]]) {
      const { timestamp } = (await post("--title", "x", ...args)).embeds[0];
      assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000, timestamp);
    }
    const escaped = await run("post", "--dry-run", "--", "--help");
    assert.match(escaped.stdout, /"content":"--help"/);
  }));

Deno.test("ask reads options around its prompt, and - as standard input", async () => {
  await using world = await createWorld();
  const args = ["--config", "config", "ask", "--no-stream", "-", "--system", "-5 degrees", "--max-tokens=7"];
  const { code, stdout, stderr } = await world.run(args, { stdin: "¿Hola?" });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "Hola, soy Django." }, stderr);
  const sent = JSON.stringify(world.ollama.chats[0]);
  for (const part of ["-5 degrees", "¿Hola?", '"num_predict":7']) assert.ok(sent.includes(part), sent);
});
