import assert from "node:assert/strict";
import { claimDataFolder } from "../../src/cli/pid_file.ts";
import { AgentError } from "../../src/core/errors.ts";
import { createFolder } from "../support/program.ts";

const FILE = "django-agent.pid";

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function refusal(path: string): AgentError {
  try {
    claimDataFolder(path)[Symbol.dispose]();
  } catch (error) {
    assert.ok(error instanceof AgentError, String(error));
    return error;
  }
  assert.fail("it could be claimed");
}

Deno.test("claimDataFolder() writes the number of this process and removes the file in the end", async () => {
  await using folder = await createFolder();
  const path = `${folder.path}/a/b/data`; // which does not exist yet
  const claim = claimDataFolder(path);
  assert.equal(await Deno.readTextFile(`${path}/${FILE}`), `${Deno.pid}\n`);
  assert.equal(((await Deno.stat(`${path}/${FILE}`)).mode ?? 0) & 0o077, 0, "it is its owner's alone");
  claim[Symbol.dispose]();
  assert.equal(await exists(`${path}/${FILE}`), false);
});

Deno.test("claimDataFolder() refuses a folder that is claimed, naming who has it, and harms nothing", async () => {
  await using folder = await createFolder();
  const claim = claimDataFolder(folder.path);
  const { exitCode, message, remedy } = refusal(folder.path);
  assert.equal(exitCode, 69);
  assert.equal(message, `Process ${Deno.pid} already serves from ${folder.path}`);
  assert.match(remedy ?? "", /--data/);
  assert.equal(await Deno.readTextFile(`${folder.path}/${FILE}`), `${Deno.pid}\n`);
  refusal(folder.path); // the lock still holds
  claim[Symbol.dispose]();
  claimDataFolder(folder.path)[Symbol.dispose]();
});

Deno.test("claimDataFolder() in the end leaves a file alone that another process has claimed meanwhile", async () => {
  await using folder = await createFolder();
  const first = claimDataFolder(folder.path);
  await Deno.remove(`${folder.path}/${FILE}`);
  using _second = claimDataFolder(folder.path);
  first[Symbol.dispose]();
  assert.equal(refusal(folder.path).exitCode, 69);
});

Deno.test("claimDataFolder() takes over a file that nobody holds, whatever it says", async () => {
  await using folder = await createFolder();
  for (const left of ["1\n", "99999999999999999999999999\n", "", "nonsense ".repeat(1000)]) {
    await Deno.writeTextFile(`${folder.path}/${FILE}`, left);
    const claim = claimDataFolder(folder.path);
    assert.equal(await Deno.readTextFile(`${folder.path}/${FILE}`), `${Deno.pid}\n`);
    claim[Symbol.dispose]();
  }
});

Deno.test("claimDataFolder() names nobody when the holder's file says nothing of use", async () => {
  await using folder = await createFolder();
  using file = await Deno.open(`${folder.path}/${FILE}`, { read: true, write: true, create: true });
  await file.lock(true);
  for (const text of ["", "rm -rf /\n", "\u001b[2J"]) {
    await file.truncate();
    await Deno.writeTextFile(`${folder.path}/${FILE}`, text);
    assert.equal(refusal(folder.path).message, `Another process already serves from ${folder.path}`);
  }
});

Deno.test("claimDataFolder() gives two folders to two claims, and survives a file that somebody removed", async () => {
  await using folder = await createFolder();
  const one = claimDataFolder(`${folder.path}/one`);
  const two = claimDataFolder(`${folder.path}/two`);
  await Deno.remove(`${folder.path}/one/${FILE}`);
  one[Symbol.dispose]();
  two[Symbol.dispose]();
  assert.equal(await exists(`${folder.path}/two/${FILE}`), false);
});

Deno.test("claimDataFolder() says what is in the way, and waits for nobody", async () => {
  await using folder = await createFolder();
  await Deno.mkdir(`${folder.path}/folder/${FILE}`, { recursive: true });
  await Deno.mkdir(`${folder.path}/pipe`);
  await new Deno.Command("mkfifo", { args: [`${folder.path}/pipe/${FILE}`] }).output();
  for (const name of ["folder", "pipe"]) {
    const { message } = refusal(`${folder.path}/${name}`);
    assert.ok(message.includes(FILE), message);
    assert.doesNotMatch(message, /already serves/);
  }
  await Deno.writeTextFile(`${folder.path}/file`, "");
  refusal(`${folder.path}/file`); // a data folder that is a file
});
