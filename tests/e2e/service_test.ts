/** What `service` prints, read as the system it is for reads it. */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { noteOnDeno } from "../../src/cli/service_plan.ts";
import { browserMissing, openPage } from "../support/browser.ts";
import { skipped } from "../support/skipped.ts";
import { projectPath } from "../support/paths.ts";
import { createFolder, type Finished, runProgram } from "../support/program.ts";

/** Everything that means something in a unit or in XML, and letters beyond ASCII. */
const HOSTILE = `a "b" 'c' 100% %h $HOME \\ & <d>; é 🌱`;
/** Deno's arguments, of `deno task start`. */
const RUN = project.tasks.start.command.replace(/^.* deno run /, "run ").replace(/ main\.ts serve$/, "").split(" ");
const OUTPUT = { stdout: "piped", stderr: "piped" } as const;

/** Runs `service` in a folder of this name. */
async function inFolder(
  name: string,
  use: (folder: string, run: (...args: string[]) => Promise<Finished>) => Promise<void>,
): Promise<void> {
  await using parent = await createFolder();
  const folder = `${await Deno.realPath(parent.path)}/${name}`;
  await Deno.mkdir(folder);
  await use(folder, (...args) => runProgram(["service", ...args], { folder }));
}

/** What a run prints that has to succeed. */
async function printed(finished: Promise<Finished>): Promise<string> {
  const { code, stdout, stderr } = await finished;
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Why units cannot be verified here; undefined when they can. */
const systemdMissing = await new Deno.Command("systemd-analyze", { args: ["--version"], ...OUTPUT }).output()
  .then(() => undefined, () => "skipped, because systemd-analyze (Debian: systemd) is not installed");
if (systemdMissing !== undefined) console.warn(`the test of systemd's own opinion is ${systemdMissing}`);

/** The value of a line of a unit. */
function valueOf(unit: string, name: string): string {
  const found = unit.split("\n").filter((line) => line.startsWith(`${name}=`));
  assert.equal(found.length, 1, `${name} in ${unit}`);
  return found.join().slice(name.length + 1);
}

/** A command line as systemd reads it: systemd.syntax(7), "Quoting", and `%%` of systemd.unit(5), "Specifiers". */
function readWords(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare = ""]) => {
    assert.doesNotMatch(bare, /["'\\$;]/, line);
    return readSpecifiers(quoted?.replace(/\\(.)/g, "$1") ?? bare);
  });
}

function readSpecifiers(text: string): string {
  assert.doesNotMatch(text.replaceAll("%%", ""), /%/);
  return text.replaceAll("%%", "%");
}

Deno.test("service prints a unit that runs what `task start` runs, in this folder", () =>
  inFolder("plain", async (folder, run) => {
    const unit = await printed(run("--system", "linux", "--config", "my config", "--data=d", "--cloud"));
    assert.equal(valueOf(unit, "WorkingDirectory"), folder);
    assert.ok(project.tasks.start.command.startsWith(`${valueOf(unit, "Environment")} deno `));
    const own = ["serve", "--config=my config", "--data=d", "--cloud"];
    const words = readWords(valueOf(unit, "ExecStart"));
    assert.deepEqual(words, [`:${Deno.execPath()}`, ...RUN, projectPath("main.ts"), ...own]);
    assert.equal(valueOf(unit, "Restart"), "on-failure");
    assert.equal(valueOf(unit, "RestartPreventExitStatus"), "64 77 78");
    for (const step of ["~/.config/systemd/user/django-agent.service", "enable --now", "loginctl enable-linger"]) {
      assert.match(unit, new RegExp(`^#.*${step}`, "m"));
    }
  }));

for (const name of [HOSTILE, "ends with a blank ", "ends with a backslash\\"]) {
  Deno.test(`service names the folder ${JSON.stringify(name)} as systemd reads it`, () =>
    inFolder(name, async (folder, run) => {
      const unit = await printed(run("--system", "linux", `--config=${name}`));
      const value = valueOf(unit, "WorkingDirectory");
      assert.doesNotMatch(value, /[\s\\]$/); // the one would be lost, the other join the next line to it
      assert.equal(readSpecifiers(value).replace(/\/$/, ""), folder);
      assert.equal(readWords(valueOf(unit, "ExecStart")).at(-1), `--config=${name}`);
    }));
}

Deno.test({
  name: "systemd has nothing to say against the unit, whatever the folder and the program are called",
  ignore: systemdMissing !== undefined,
  fn: () =>
    inFolder(HOSTILE, async (folder, run) => {
      await using runtime = await createFolder();
      const unit = await printed(run("--system", "linux", `--data=${HOSTILE}`));
      const elsewhere = unit.replace(`:${Deno.execPath()} `, `:/bin/sh -c "exec \\"$0\\" \\"$@\\"" "/x \\"y\\"/deno" `);
      assert.notEqual(unit, elsewhere);
      for (const [name, text] of [["django-agent", unit], ["elsewhere", elsewhere]]) {
        const file = `${folder}/${name}.service`;
        await Deno.writeTextFile(file, text ?? "");
        const { code, stderr } = await new Deno.Command("systemd-analyze", {
          args: ["verify", "--user", file],
          env: { XDG_RUNTIME_DIR: runtime.path },
          ...OUTPUT,
        }).output();
        const said = new TextDecoder().decode(stderr).split("\n").filter((line) => line.includes(`${name}.service`));
        assert.deepEqual([code, said], [0, []]);
      }
    }),
});

/** What a browser's XML parser finds: the words of a plist in order, or the elements of a task by name. */
async function parseXml(xml: string): Promise<{ elements: [name: string, text: string][]; failure: string | null }> {
  await using opened = await openPage("about:blank");
  return await opened.page.evaluate(`(() => {
    const parsed = new DOMParser().parseFromString(${JSON.stringify(xml)}, "application/xml");
    const leaves = [...parsed.querySelectorAll("*")].filter(({ children }) => children.length === 0);
    return {
      elements: leaves.map(({ tagName, textContent }) => [tagName, textContent]),
      failure: parsed.querySelector("parsererror")?.textContent ?? null,
    };
  })()`);
}

Deno.test({
  name: "service prints a launchd agent whose every word survives XML",
  ignore: skipped(browserMissing),
  fn: () =>
    inFolder(HOSTILE, async (folder, run) => {
      const { elements, failure } = await parseXml(await printed(run("--system", "macos", `--data=${HOSTILE}`)));
      assert.equal(failure, null);
      const at = elements.findIndex(([, text]) => text === "ProgramArguments");
      const words = elements.slice(at + 1, elements.findIndex(([, text]) => text === "EnvironmentVariables"));
      const own = ["serve", `--data=${HOSTILE}`];
      assert.deepEqual(words.map(([, text]) => text), [Deno.execPath(), ...RUN, projectPath("main.ts"), ...own]);
      const after = (key: string) => elements[elements.findIndex(([, text]) => text === key) + 1];
      assert.deepEqual(after("WorkingDirectory"), ["string", folder]);
      assert.deepEqual(after("DENO_NO_UPDATE_CHECK"), ["string", "1"]);
      assert.deepEqual(after("SuccessfulExit"), ["false", ""]);
    }),
});

/** A command line as `CommandLineToArgvW` of Windows reads it. */
function readWindowsWords(line: string): string[] {
  return [...line.matchAll(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g)].map(([word]) =>
    word.replace(/(\\*)("|$)/g, (_, slashes: string, end: string) => {
      const isLiteral = slashes.length % 2 === 1 && end === '"';
      return end === "" && !word.endsWith('"') ? slashes : "\\".repeat(slashes.length >> 1) + (isLiteral ? '"' : "");
    })
  );
}

Deno.test({
  name: "service prints a task for Windows whose every word survives XML and the command line",
  ignore: skipped(browserMissing),
  fn: () =>
    inFolder(HOSTILE.replace("% %h", "%"), async (folder, run) => {
      const data = `--data=C:\\my "data" & <more>\\`;
      const xml = await printed(run("--system", "windows", data, "--cloud"));
      assert.match(xml, /^[\n -~]*$/, "whatever encoding PowerShell takes it for, it must be the same");
      const { elements, failure } = await parseXml(xml);
      assert.equal(failure, null);
      const values = Object.fromEntries(elements);
      assert.equal(values.Command, Deno.execPath());
      assert.deepEqual(readWindowsWords(values.Arguments ?? ""), ["task", "-q", "start", data, "--cloud"]);
      assert.equal(values.WorkingDirectory, folder);
      assert.equal(values.ExecutionTimeLimit, "PT0S", "three days would be the default");
      assert.deepEqual([values.Interval, values.MultipleInstancesPolicy], ["PT1M", "IgnoreNew"]);
      assert.ok(Date.parse(values.StartBoundary ?? "") < Date.now(), "or it would not be started again yet");
      assert.match(xml, /<TimeTrigger>\s*<Repetition>.*<\/Repetition>.*<Enabled>true<\/Enabled>\s*<\/TimeTrigger>/s);
      assert.match(xml, /^<!--.*Disable-ScheduledTask django-agent\n +Stop-ScheduledTask django-agent\n.*^-->/ms);
    }),
});

Deno.test("service refuses what no unit can say", () =>
  inFolder("a\nb", async (_, run) => {
    const { code, stdout, stderr } = await run();
    assert.deepEqual({ code, stdout }, { code: 65, stdout: "" });
    assert.match(stderr, /a\\nb": it holds a control character\n→ Give the folder/);
  }));

Deno.test("service refuses for Windows what it would replace", () =>
  inFolder("%TEMP%", async (_, run) => {
    const { code, stderr } = await run("--system", "windows");
    assert.equal(code, 65);
    assert.match(stderr, /%TEMP% for a variable\n→ /);
  }));

Deno.test("service --json tells what is printed, where it belongs and how it is installed", () =>
  inFolder("plain", async (_, run) => {
    for (const system of ["linux", "macos", "windows"]) {
      const { unit, commands, file, ...rest } = JSON.parse(await printed(run("--system", system, "--json")));
      assert.deepEqual(rest, { system });
      assert.equal(unit, await printed(run("--system", system)));
      for (const text of [file, ...commands]) assert.ok(unit.includes(text), text);
    }
    if (Deno.build.os === "linux") assert.equal(JSON.parse(await printed(run("--json"))).system, "linux");
    const wrong = await run("--system", "beos", "--json");
    assert.equal(wrong.code, 64);
    assert.equal(JSON.parse(wrong.stdout).error.exit_code, 64);
  }));

Deno.test("service says so when the Deno it would start lies where npm may delete it", () =>
  inFolder("plain", async (_, run) => {
    const { stderr } = await run();
    assert.equal(stderr, noteOnDeno(Deno.execPath()).map((line) => `${line}\n`).join(""));
  }));
