import assert from "node:assert/strict";
import {
  choice,
  commonOptionsOf,
  createCommand,
  flag,
  type Group,
  isGroup,
  list,
  openOption,
  option,
} from "../../src/cli/command.ts";
import { firstWord, readCommandLine } from "../../src/cli/command_line.ts";
import type { PostOptions } from "../../src/cli/post_options.ts";
import { type Continuation, continueLine } from "../../src/cli/post_view.ts";
import type { CommonOptions, Session } from "../../src/cli/session.ts";
import { refuseTogether } from "../../src/cli/usage_error.ts";
import { AgentError } from "../../src/core/errors.ts";

interface SendOptions {
  readonly title?: string;
  readonly maxParts: number;
  readonly colour?: "red" | "green";
  readonly field?: readonly string[];
  readonly at?: string | true;
  readonly loud?: true;
  readonly stream: boolean;
}

/** What the last command was run with. */
interface Seen {
  name?: string;
  options?: unknown;
  args?: readonly string[];
  common?: CommonOptions;
}

/** Runs a program of two commands and a group, and tells what reached them. */
async function run(...args: string[]): Promise<Seen> {
  const seen: Seen = {};
  const see = (name: string) => (_: Session, options: unknown, args: readonly string[]) => {
    Object.assign(seen, { name, options, args });
    return Promise.resolve();
  };
  const send = createCommand<SendOptions>({
    brief: "Send",
    takes: [{ label: "[text]", brief: "what to send" }],
    options: {
      title: option("<text>", "title"),
      "max-parts": option("<count>", "parts", { parse: parsePositive, fallback: 3 }),
      colour: choice("<colour>", "colour", ["red", "green"]),
      field: list("<text>", "field"),
      at: openOption("[when]", "when"),
      loud: flag("loud"),
      "no-stream": flag("at once"),
    },
    examples: [],
    run: see("send"),
  });
  const copy = createCommand({
    brief: "Copy",
    takes: [{ label: "<from>", brief: "from" }, { label: "<to>", brief: "to" }],
    options: {},
    examples: [],
    run: see("copy"),
  });
  const read = createCommand<{ readonly age: number }>({
    brief: "Read",
    takes: [{ label: "<path...>", brief: "files" }],
    options: { age: option("<days>", "age", { parse: parsePositive, required: true }) },
    examples: [],
    run: see("read"),
  });
  const files: Group = { brief: "Files", commands: { copy, read }, examples: [] };
  const more: Group = { brief: "More", commands: { send, copy }, alone: send, examples: [] };
  const root: Group = { brief: "All", commands: { send, files, more }, examples: [] };
  const { target, wanted, values, args: texts } = readCommandLine(args, root);
  if (wanted !== "run" || isGroup(target)) return { name: wanted };
  seen.common = commonOptionsOf(values);
  await target.run({} as Session, values, texts);
  return seen;
}

function parsePositive(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new RangeError("It must be a whole number above 0.");
  return Number(text);
}

Deno.test("a value may be anything, in both ways of writing it", async () => {
  const values = ["x", "- list", "-5 degrees", "-x", "--loud", "--help", "--", "", " ", "a\nb", "a=b", "\u2028", "-"];
  for (const value of values) {
    for (const args of [["--title", value], [`--title=${value}`]]) {
      const { options } = await run("send", ...args);
      assert.deepEqual(options, { title: value, maxParts: 3, stream: true }, JSON.stringify(args));
    }
  }
});

Deno.test("texts are texts: -, a number, a list, and whatever follows --", async () => {
  for (const text of ["-", "-5", "-5 degrees", "- list", "", "a\nb"]) {
    assert.deepEqual((await run("send", "--loud", text)).args, [text]);
  }
  for (const text of ["--loud", "--nope", "-x", "--", "--help", "--cloud"]) {
    assert.deepEqual((await run("send", "--", text)).args, [text]);
  }
  assert.deepEqual((await run("files", "read", "a", "--age", "1", "b", "--", "-c")).args, ["a", "b", "-c"]);
});

Deno.test("options come as values under the names they have in code; one that is not given is not there", async () => {
  const { options } = await run(
    ...["send", "--max-parts=7", "--colour", "green", "--loud", "--no-stream", "--field", "a", "--field=b", "--at"],
  );
  assert.deepEqual(options, {
    maxParts: 7,
    colour: "green",
    field: ["a", "b"],
    at: true,
    loud: true,
    stream: false,
  });
});

Deno.test("of an option that is given twice the last one counts", async () => {
  const { options } = await run("send", "--title", "a", "--loud", "--title=b", "--loud");
  assert.deepEqual(options, { title: "b", maxParts: 3, loud: true, stream: true });
});

Deno.test("an open option takes what follows, but no option", async () => {
  const at = async (...args: string[]) => (await run("send", ...args)).options;
  const rest = { maxParts: 3, stream: true };
  assert.deepEqual(await at("--at", "noon"), { at: "noon", ...rest });
  assert.deepEqual(await at("--at=noon"), { at: "noon", ...rest });
  assert.deepEqual(await at("--at", "--loud"), { at: true, loud: true, ...rest });
  assert.deepEqual(await at("--at", "--", "text"), { at: true, ...rest });
  await assert.rejects(at("--at="), /option '--at \[when\]' argument missing/);
});

Deno.test("the common options stand anywhere", async () => {
  const wanted = { config: "c", configNamed: true, data: "d", cloud: true, sandbox: false };
  for (
    const args of [
      ["--config", "c", "--data=d", "--cloud", "--no-sandbox", "files", "copy", "a", "b"],
      ["files", "--config=c", "--data", "d", "copy", "--cloud", "a", "--no-sandbox", "b"],
      ["files", "copy", "a", "b", "--no-sandbox", "--cloud", "--data", "d", "--config", "c"],
    ]
  ) {
    const { name, common, args: texts } = await run(...args);
    assert.deepEqual({ name, common, texts }, { name: "copy", common: wanted, texts: ["a", "b"] });
  }
  const byDefault = { config: "./config", configNamed: false, data: "./data", cloud: false, sandbox: true };
  assert.deepEqual((await run("send")).common, byDefault);
});

Deno.test("a group may do something alone", async () => {
  for (const [args, name] of [[["more"], "send"], [["more", "--loud"], "send"], [["more", "copy", "a", "b"], "copy"]]) {
    assert.equal((await run(...args ?? [])).name, name);
  }
});

Deno.test("what is wrong is named, and what was meant", async (t) => {
  const cases: [string[], string][] = [
    [["send", "--titel", "x"], "unknown option '--titel'. Did you mean \"--title\"?"],
    [["send", "--maxParts", "1"], "unknown option '--maxParts'. Did you mean \"--max-parts\"?"],
    [["send", "--max_parts", "1"], "unknown option '--max_parts'. Did you mean \"--max-parts\"?"],
    [["send", "--noStream"], "unknown option '--noStream'. Did you mean \"--no-stream\"?"],
    [["send", "--no-field"], "unknown option '--no-field'."],
    [["send", "--no-xloud"], "unknown option '--no-xloud'."],
    [["send", "--LOUD"], "unknown option '--LOUD'. Did you mean \"--loud\"?"],
    [["send", "--a"], "unknown option '--a'. Did you mean \"--at\"?"],
    [["send", "--título"], "unknown option '--título'."],
    [["send", "--constructor", "x"], "unknown option '--constructor'."],
    [["send", "--noConstructor"], "unknown option '--noConstructor'."],
    [["send", "-x"], "unknown option '-x'."],
    [["send", "-hx"], "unknown option '-hx'."],
    [["send", "--loud=yes"], "option '--loud' takes no value"],
    [["send", "--title"], "option '--title <text>' argument missing"],
    [
      ["send", "--max-parts", "-1"],
      "option '--max-parts <count>' argument '-1' is invalid. It must be a whole number above 0.",
    ],
    [
      ["send", "--colour", "blue"],
      "option '--colour <colour>' argument 'blue' is invalid. Allowed choices are red, green.",
    ],
    [["send", "--config="], "option '--config <dir>' argument '' is invalid. It must name a folder."],
    [["send", "a", "b"], "too many arguments for 'send'. Expected 1 argument but got 2."],
    [["files", "copy", "a"], "missing required argument 'to'"],
    [["files", "read", "--age", "1"], "missing required argument 'path'"],
    [["files", "read", "a"], "required option '--age <days>' not specified"],
    [["files"], "a command is missing after 'files'. There are copy, read."],
    [["files", "coyp"], "unknown command 'coyp'. Did you mean \"copy\"?"],
    [["files", "--age", "1", "read"], "unknown option '--age'."],
    [["sedn"], "unknown command 'sedn'. Did you mean \"send\"?"],
    [["toString"], "unknown command 'toString'."],
    [["--confg", "x", "send"], "unknown option '--confg'. Did you mean \"--config\"?"],
    [["--title", "x", "send"], "unknown option '--title'."],
    [["more", "coyp"], "unknown command 'coyp'. Did you mean \"copy\"?"],
  ];
  for (const [args, message] of cases) {
    await t.step(args.join(" "), () =>
      assert.rejects(run(...args), (error) => {
        assert.ok(error instanceof AgentError, Deno.inspect(error));
        assert.deepEqual([error.message, error.exitCode], [message, 64]);
        return true;
      }));
  }
});

Deno.test("refuseTogether() names both options", () => {
  refuseTogether("--a", undefined, "--b", true);
  assert.throws(() => refuseTogether("--a", "", "--b", true), /option '--a' cannot be used with option '--b'/);
});

Deno.test("help and version are wanted wherever they stand, whatever else is wrong", async () => {
  const cases: [string[], string][] = [
    [["send", "--nope", "--help"], "help"],
    [["send", "a", "b", "-h"], "help"],
    [["help", "send"], "help"],
    [["files", "help", "copy"], "help"],
    [["--help"], "help"],
    [["more", "--help"], "help"],
    [["send", "--max-parts", "x", "--help"], "help"],
    [["-V"], "version"],
    [["send", "--version"], "version"],
  ];
  for (const [args, wanted] of cases) assert.equal((await run(...args)).name, wanted, args.join(" "));
  await assert.rejects(run("help", "sedn"), /unknown command 'sedn'/);
});

Deno.test("firstWord() sees past the common options, and no further", () => {
  assert.equal(firstWord(["--config", "ask", "--cloud"]), undefined);
  assert.equal(firstWord(["--data=x", "ask", "--help"]), "ask");
  assert.equal(firstWord(["--port", "1"]), "--port");
  assert.equal(firstWord(["--cloud", "-h"]), "-h");
  assert.equal(firstWord(["--config=x", "--version"]), "--version");
});

Deno.test("continueLine() repeats the options that were given, for a shell, and neither text nor address", () => {
  const line = (options: PostOptions, more: Partial<Continuation> = {}) =>
    continueLine(options, { readsStdin: true, skip: 2, threadId: undefined, dataDir: "./data", ...more });
  assert.equal(line({}), "django-agent post - --skip-parts 2");
  assert.equal(
    line({ embed: true, title: "it's -x", avatarUrl: "https://example.org/a.png", timestamp: true, jsonOutput: true }),
    "django-agent post - --embed --title='it'\\''s -x' --avatar-url=https://example.org/a.png --timestamp --json-output" +
      " --skip-parts 2",
  );
  assert.equal(
    line({ file: "a.md", attach: ["b.png", "c d.png"], timestamp: "now", skipParts: "1" }, { readsStdin: false }),
    "django-agent post --file=a.md --attach=b.png --attach='c d.png' --timestamp=now --skip-parts 2",
  );
  assert.equal(line({ file: "-" }), "django-agent post - --skip-parts 2");
  assert.equal(
    line({ title: "T" }, { readsStdin: false, dataDir: "my data" }),
    "django-agent post --title=T --data='my data' --skip-parts 2",
  );
  assert.equal(
    line({ webhook: "TEAM_WEBHOOK", threadName: "New", ping: ["users", "1"] }, { threadId: "77" }),
    "django-agent post - --ping=users --ping=1 --webhook=TEAM_WEBHOOK --thread-id=77 --skip-parts 2",
  );
  assert.ok(!line({ webhook: "https://discord.com/api/webhooks/1/SECRET" }).includes("SECRET"));
});
