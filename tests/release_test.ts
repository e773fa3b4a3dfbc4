/** The workflow that builds a release says what this project has. It is read as text: nothing here reads YAML. */
import assert from "node:assert/strict";
import project from "../deno.json" with { type: "json" };
import { parseCompileArguments, TARGETS } from "../src/compile.ts";
import { projectPath, ROOT_FOLDER } from "./support/paths.ts";

const WORKFLOW = await Deno.readTextFile(projectPath(".github/workflows/release.yml"));

interface Step {
  readonly name: string;
  readonly script: string;
}

/** Every `run` with the name above it, as the shell gets it. */
const STEPS: readonly Step[] = [
  ...WORKFLOW.matchAll(/^ {6}- name: (.+)\n(?: {8}(?!run).*\n)*? {8}run: (.+\n(?: {10}.*\n)*)/gm),
]
  .map(([, name = "", run = ""]) => ({ name, script: run.replace(/^\|\n/, "").replaceAll(/^ {10}/gm, "") }));

function scriptOf(name: string): string {
  const step = STEPS.find((each) => each.name === name);
  assert.ok(step, `there is no step "${name}"`);
  return step.script;
}

/** Runs a script as GitHub runs it. */
async function runScript(script: string, flags: string[], env: Record<string, string> = {}) {
  const { code, stderr } = await new Deno.Command("bash", {
    args: ["--noprofile", "--norc", "-e", ...flags, "-c", script],
    cwd: ROOT_FOLDER,
    env,
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("release.yml: every script is one that bash can read", async () => {
  assert.equal(STEPS.length, WORKFLOW.match(/\brun: /g)?.length);
  for (const { script } of STEPS) assert.deepEqual(await runScript(script, ["-n"]), { code: 0, stderr: "" });
});

Deno.test("release.yml: tasks, tests and the version of Deno are those of the project", async () => {
  const called = [...WORKFLOW.matchAll(/npx -y deno@(\S+) (\w+) (\S.*)/g)];
  assert.equal(called.length, WORKFLOW.match(/npx/g)?.length);
  for (const [, version, command, rest = ""] of called) {
    assert.equal(version, Deno.version.deno);
    if (command === "task") assert.ok(Object.hasOwn(project.tasks, rest.split(" ")[0] ?? ""), rest);
    else assert.ok((await Deno.stat(projectPath(rest.split(" ").at(-1) ?? ""))).isFile, rest);
  }
});

Deno.test("release.yml: builds every target without and with the cloud, each with its name", () => {
  const script = scriptOf("Build");
  const targets = /for target in (.*?)\bdo\b/s.exec(script)?.[1]?.split(/[\s\\]+/).filter((word) => word !== "");
  assert.deepEqual(targets, TARGETS);
  const builds = [...script.matchAll(/task compile (.*)/g)].map(([, args = ""]) =>
    parseCompileArguments(args.replaceAll("$target", TARGETS[0] ?? "").replaceAll('"', "").split(" "))
  );
  const of = (name: string) => ({ hosts: [], target: TARGETS[0], output: `dist/${name}-${TARGETS[0]}` });
  assert.deepEqual(builds, [of("django-agent"), { ...of("django-agent-cloud"), cloud: true }]);
});

Deno.test("release.yml: goes on only when the tag names the version of deno.json", async () => {
  const script = scriptOf("Compare the tag with the version in deno.json");
  const right = await runScript(script, [], { GITHUB_REF_NAME: `v${project.version}` });
  assert.deepEqual(right, { code: 0, stderr: "" });
  for (const tag of [project.version, `v${project.version}0`, "v"]) {
    const { code, stderr } = await runScript(script, [], { GITHUB_REF_NAME: tag });
    assert.equal(code, 1);
    assert.equal(stderr, `The tag is ${tag}, and deno.json says ${project.version}.\n`);
  }
});

Deno.test("release.yml: runs on tags alone, with GitHub's own actions, and writes only where it publishes", () => {
  assert.match(WORKFLOW, /^on:\n {2}push:\n {4}tags: \["v\*"\]\n\n/m);
  for (const [, action = ""] of WORKFLOW.matchAll(/uses: (.*)/g)) assert.match(action, /^actions\/[a-z-]+@v\d+$/);
  assert.deepEqual(WORKFLOW.match(/contents: \w+/g), ["contents: read", "contents: write"]);
  const publish = WORKFLOW.slice(WORKFLOW.indexOf("\n  publish:\n"));
  assert.match(publish, /contents: write[^]*gh release create "\$GITHUB_REF_NAME" .*dist\/\*/);
  assert.doesNotMatch(publish, /npx|checkout/, "what may write runs nothing but GitHub's own");
});

Deno.test("release.yml: the checksums are those of everything that was built", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/dist`);
    for (const name of ["django-agent-a", "django-agent-b.exe"]) {
      await Deno.writeTextFile(`${folder}/dist/${name}`, name);
    }
    const script = `cd ${folder}\n${scriptOf("Write the checksums")}`;
    assert.deepEqual(await runScript(script, []), { code: 0, stderr: "" });
    const lines = (await Deno.readTextFile(`${folder}/dist/SHA256SUMS`)).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => line.slice(64)), ["  django-agent-a", "  django-agent-b.exe"]);
    assert.equal((await runScript(`cd ${folder}/dist && sha256sum --check --quiet SHA256SUMS`, [])).code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
