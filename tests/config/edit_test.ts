import assert from "node:assert/strict";
import { join } from "node:path";
import { setAssignment, setProfile } from "../../src/config/edit.ts";
import { EMBEDDED_TEXT, loadConfig } from "../../src/config/load.ts";
import { replaceFile } from "../../src/config/replace_file.ts";
import { AgentError, ConfigError, EXIT } from "../../src/core/errors.ts";
import { ROLES } from "../../src/core/types.ts";
import { assertProblem, inNewFolder, rejection, validExample } from "./examples.ts";
import { callAsOutsider } from "./outsider.ts";

const WINDOWS = Deno.build.os === "windows";

/** Layout, order, comments and line ends that no formatter would choose. */
const ODD = `\uFEFF// mine
{  "profiles" : {
\t\t"local":{"local_only":true ,"assignments":{"*":"home/small"  }},   // keep
\t\t"mixed" : {}
   },
 "fallback_chain":[ "home/big",
   "home/small" , ],
"profile"  :   "local", /* active */
 "providers":{"home":{"type":"ollama","models":{"big":{"context":8192},"small":{"context":4096},
      "vectors":{"context":2048,"embeddings":true}}},
  "groq": {"type":"groq","api_key_env":"GROQ_API_KEY","models":{"openai/oss":{"context":1000}}}},
  // roles
  "assignments": {
       "technical": "groq/openai/oss" // fast
  }
}   // the end
`.replaceAll("\n", "\r\n");

/** The text of models.json after `edit`, starting from `text`. Nothing else may be left in the folder. */
async function textAfter(text: string, edit: (dir: string) => Promise<unknown>): Promise<string> {
  let result = "";
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "models.json"), text);
    await edit(dir);
    assert.deepEqual(namesIn(dir), ["models.json"]);
    result = await Deno.readTextFile(join(dir, "models.json"));
  });
  return result;
}

function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

Deno.test("setProfile() changes the one word and no other byte of the shipped file", async () => {
  const text = await textAfter(EMBEDDED_TEXT, (dir) => setProfile(dir, "balanced"));
  assert.equal(text, EMBEDDED_TEXT.replace('"profile": "privacy_mode"', '"profile": "balanced"'));
  assert.notEqual(text, EMBEDDED_TEXT);
});

Deno.test("setProfile() keeps byte order mark, line ends and an odd layout", async () => {
  const text = await textAfter(ODD, (dir) => setProfile(dir, "mixed"));
  assert.equal(text, ODD.replace('"profile"  :   "local"', '"profile"  :   "mixed"'));
});

Deno.test("setAssignment() replaces an assignment and no other byte", async () => {
  const text = await textAfter(
    ODD,
    (dir) => setProfile(dir, "mixed").then(() => setAssignment(dir, "technical", "home/big")),
  );
  assert.equal(text, ODD.replace(':   "local"', ':   "mixed"').replace('groq/openai/oss" //', 'home/big" //'));
});

Deno.test("setAssignment() adds a role below the last one and keeps that one's comment", async () => {
  const text = await textAfter(ODD, (dir) => setAssignment(dir, "embeddings", "home/vectors"));
  const before = '"technical": "groq/openai/oss" // fast\r\n';
  const after = '"technical": "groq/openai/oss", // fast\r\n       "embeddings": "home/vectors"\r\n';
  assert.equal(text, ODD.replace(before, after));
});

Deno.test("setAssignment() writes into the active profile when that speaks for every role", async () => {
  const text = await textAfter(ODD, (dir) => setAssignment(dir, "business", "home/big"));
  assert.equal(text, ODD.replace('"home/small"  }', '"home/small", "business": "home/big"  }'));
});

Deno.test("setAssignment() writes where it takes effect", async () => {
  await inNewFolder(async (dir) => {
    const example = validExample();
    example.profiles.mixed.assignments = { business: "home/big" };
    example.profile = "mixed";
    await Deno.writeTextFile(join(dir, "models.json"), JSON.stringify(example));
    await setAssignment(dir, "business", "home/small");
    await setAssignment(dir, "governance", "home/big");
    const { models } = await setAssignment(dir, "embeddings", "home/vectors");
    assert.deepEqual(models.profiles["mixed"]?.assignments, { business: "home/small" });
    assert.equal(models.assignments.governance, "home/big");
    assert.equal(models.assignments.business, undefined);
    assert.equal(models.assignments.embeddings, "home/vectors");
  });
});

Deno.test("setAssignment() adds the assignments when the file has none", async () => {
  const example = validExample();
  example.profile = "mixed";
  const { assignments: _, ...without } = example;
  const text = JSON.stringify(without, null, 4);
  const after = await textAfter(text, (dir) => setAssignment(dir, "business", "home/big"));
  assert.equal(after, `${text.slice(0, -2)},\n    "assignments": { "business": "home/big" }\n}`);
});

Deno.test("setProfile() to the profile that is active already does not touch the file", async () => {
  await inNewFolder(async (dir) => {
    const path = join(dir, "models.json");
    await Deno.writeTextFile(path, ODD);
    await Deno.utime(path, 1000, 1000);
    await setProfile(dir, "local");
    assert.equal((await Deno.stat(path)).mtime?.getTime(), 1_000_000);
  });
});

Deno.test("setProfile() returns what the file now says", async () => {
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "models.json"), ODD);
    const snapshot = await setProfile(dir, "mixed");
    assert.equal(snapshot.models.profile, "mixed");
    assert.deepEqual(snapshot, await loadConfig({ dir }));
  });
});

Deno.test("setProfile() without a file creates folder and file from the embedded defaults", async () => {
  await inNewFolder(async (root) => {
    const dir = join(root, "new", "config");
    await setProfile(dir, "budget_mode");
    const text = await Deno.readTextFile(join(dir, "models.json"));
    assert.equal(text, EMBEDDED_TEXT.replace('"profile": "privacy_mode"', '"profile": "budget_mode"'));
    assert.deepEqual(namesIn(dir), ["models.json"]);
  });
});

Deno.test("setProfile() mends a file whose only fault is the profile", async () => {
  const broken = ODD.replace('"profile"  :   "local"', '"profile"  :   "gone"');
  assert.equal(await textAfter(broken, (dir) => setProfile(dir, "local")), ODD);
});

const REFUSED: readonly [string, (dir: string) => Promise<unknown>, string, RegExp][] = [
  ["a profile that does not exist", (dir) => setProfile(dir, "nope"), "profile", /no profile "nope"/],
  [
    "a model that is not listed",
    (dir) => setAssignment(dir, "technical", "home/nope"),
    "profiles.local.assignments.technical",
    /not listed/,
  ],
  [
    "a cloud model in a local_only profile",
    (dir) => setAssignment(dir, "technical", "groq/openai/oss"),
    "profiles.local.assignments.technical",
    /local_only/,
  ],
];

for (const [what, edit, path, message] of REFUSED) {
  Deno.test(`An edit to ${what} is refused, and nothing is written`, async () => {
    let error: unknown;
    const text = await textAfter(ODD, async (dir) => error = await rejection(edit(dir)));
    assert.equal(text, ODD);
    assert(error instanceof ConfigError);
    assert.match(error.message, /models\.json with this change; nothing was written:/);
    assertProblem(error.problems, path, message, /./);
  });
}

Deno.test("An edit of a file that is not JSON is refused, and nothing is written", async () => {
  for (const broken of ["", '{ "profile": "local", ', "[".repeat(100_000)]) {
    let error: unknown;
    const text = await textAfter(broken, async (dir) => error = await rejection(setProfile(dir, "mixed")));
    assert.equal(text, broken);
    assert(error instanceof ConfigError);
  }
});

Deno.test("A refused edit without a file creates neither file nor folder", async () => {
  await inNewFolder(async (root) => {
    const dir = join(root, "config");
    assert(await rejection(setProfile(dir, "nope")) instanceof ConfigError);
    assert.deepEqual(namesIn(root), []);
  });
});

Deno.test("Twenty-six edits at once lose none and leave a file that loads", async () => {
  const example = validExample();
  const profiles = Array.from({ length: 20 }, (_, index) => `p${index}`);
  for (const name of profiles) example.profiles[name] = {};
  Object.assign(example, { profile: "p0", assignments: {} });
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "models.json"), JSON.stringify(example, null, 2));
    const switches = profiles.map(async (name) => assert.equal((await setProfile(dir, name)).models.profile, name));
    const assignments = ROLES.map((role) =>
      setAssignment(dir, role, role === "embeddings" ? "home/vectors" : "home/small")
    );
    await Promise.all([...assignments, ...switches]);
    const { models } = await loadConfig({ dir });
    assert.deepEqual(Object.keys(models.assignments).sort(), [...ROLES].sort());
    assert(profiles.includes(models.profile));
    assert.deepEqual(namesIn(dir), ["models.json"]);
  });
});

Deno.test("Edits at once on a folder that is not there yet lose none", async () => {
  await inNewFolder(async (root) => {
    const dir = join(root, "config");
    const roles = ROLES.filter((role) => role !== "embeddings");
    await Promise.all(roles.map((role) => setAssignment(dir, role, "ollama/qwen3.5:2b")));
    const { models } = await loadConfig({ dir });
    assert.deepEqual(
      models.profiles["privacy_mode"]?.assignments,
      Object.fromEntries([["*", "ollama/llama3.2"], ...roles.map((role) => [role, "ollama/qwen3.5:2b"])]),
    );
  });
});

Deno.test({
  name: "Edits keep out those of another process",
  ignore: WINDOWS, // a folder cannot be locked there; the last look before the rename remains
  fn: async () => {
    await inNewFolder(async (dir) => {
      await Deno.writeTextFile(join(dir, "models.json"), ODD);
      const other = await Deno.open(dir);
      await other.lock(true);
      let done = false;
      const edit = setProfile(dir, "mixed").then(() => done = true);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(done, false);
      await other.unlock();
      other.close();
      await edit;
      assert.equal((await loadConfig({ dir })).models.profile, "mixed");
    });
  },
});

Deno.test("replaceFile() gives up when the file is no longer current, and leaves nothing behind", async () => {
  await inNewFolder(async (dir) => {
    const path = join(dir, "models.json");
    await Deno.writeTextFile(path, "theirs");
    const replaced = await replaceFile(path, "ours", { sandboxPath: dir, isCurrent: () => Promise.resolve(false) });
    assert.equal(replaced, false);
    assert.equal(await Deno.readTextFile(path), "theirs");
    assert.deepEqual(namesIn(dir), ["models.json"]);
  });
});

Deno.test("replaceFile() has the whole new text on disk before it touches the file", async () => {
  await inNewFolder(async (dir) => {
    const path = join(dir, "models.json");
    await Deno.writeTextFile(path, "old");
    let seen: string[] = [];
    const isCurrent = async () => {
      const temporary = namesIn(dir).find((name) => name.endsWith(".tmp")) ?? "";
      seen = [await Deno.readTextFile(path), await Deno.readTextFile(join(dir, temporary))];
      return true;
    };
    assert.equal(await replaceFile(path, "new ".repeat(50_000), { sandboxPath: dir, isCurrent }), true);
    assert.deepEqual(seen, ["old", "new ".repeat(50_000)]);
    assert.equal(await Deno.readTextFile(path), "new ".repeat(50_000));
  });
});

Deno.test("replaceFile() leaves nothing behind when the rename fails", async () => {
  await inNewFolder(async (dir) => {
    const path = join(dir, "models.json");
    await Deno.mkdir(join(path, "in the way"), { recursive: true });
    const error = await rejection(
      replaceFile(path, "new", { sandboxPath: dir, isCurrent: () => Promise.resolve(true) }),
    );
    assert(error instanceof AgentError);
    assert.match(error.message, /^Cannot write .*models\.json: /);
    assert.match(error.remedy ?? "", /free space/);
    assert.deepEqual(namesIn(dir), ["models.json"]);
  });
});

Deno.test({
  name: "setProfile() keeps the mode of the file",
  ignore: WINDOWS,
  fn: async () => {
    await inNewFolder(async (dir) => {
      const path = join(dir, "models.json");
      await Deno.writeTextFile(path, ODD);
      for (const mode of [0o600, 0o664]) {
        await Deno.chmod(path, mode);
        await setProfile(dir, mode === 0o600 ? "mixed" : "local");
        assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, mode);
      }
    });
  },
});

Deno.test({
  name: "setProfile() run by root keeps the owner of the file",
  ignore: WINDOWS || Deno.uid() !== 0,
  fn: async () => {
    await inNewFolder(async (dir) => {
      const path = join(dir, "models.json");
      await Deno.writeTextFile(path, ODD);
      await Deno.chown(path, 12_345, 12_345);
      await setProfile(dir, "mixed");
      const { uid, gid } = await Deno.stat(path);
      assert.deepEqual([uid, gid], [12_345, 12_345]);
    });
  },
});

Deno.test({
  name: "setProfile() follows a link: the file behind it changes, the link stays",
  ignore: WINDOWS,
  fn: async () => {
    await inNewFolder(async (root) => {
      const [dir, real] = [join(root, "config"), join(root, "dotfiles")];
      await Deno.mkdir(dir);
      await Deno.mkdir(real);
      await Deno.writeTextFile(join(real, "mine.json"), ODD);
      await Deno.symlink(join("..", "dotfiles", "mine.json"), join(dir, "models.json"));
      await setProfile(dir, "mixed");
      assert((await Deno.lstat(join(dir, "models.json"))).isSymlink);
      assert.match(await Deno.readTextFile(join(real, "mine.json")), /"profile" {2}: {3}"mixed"/);
      assert.deepEqual([namesIn(dir), namesIn(real)], [["models.json"], ["mine.json"]]);
    });
  },
});

Deno.test({
  name: "setProfile() refuses a link to nowhere instead of replacing it",
  ignore: WINDOWS,
  fn: async () => {
    await inNewFolder(async (dir) => {
      await Deno.symlink("missing.json", join(dir, "models.json"));
      const error = await rejection(setProfile(dir, "balanced"));
      assert(error instanceof ConfigError);
      assert.match(error.message, /link to a file that does not exist/);
      assert((await Deno.lstat(join(dir, "models.json"))).isSymlink);
    });
  },
});

Deno.test({
  name: "setProfile() names the flag and the deno.json entry when the sandbox refuses to write",
  permissions: { read: true, write: [] },
  fn: async () => {
    const error = await rejection(setProfile("config", "balanced"));
    assert(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.message, /Cannot write .*models\.json: the sandbox/);
    assert.match(
      error.remedy ?? "",
      /permissions\.default\.write in deno\.json.*--allow-write="\.\/config,\.\/data,\.\/\.env,/,
    );
    assert(!namesIn("config").some((name) => name.endsWith(".tmp")));
  },
});

Deno.test({
  name: "setProfile() into a folder it may not write to says so and leaves everything alone",
  ignore: WINDOWS,
  fn: async () => {
    await inNewFolder(async (dir) => {
      await Deno.writeTextFile(join(dir, "models.json"), ODD);
      await Deno.chmod(dir, 0o555);
      const outcome = await callAsOutsider("edit", dir);
      await Deno.chmod(dir, 0o755);
      assert.equal(outcome?.exitCode, EXIT.permission);
      assert.match(outcome?.remedy ?? "", /read-only/);
      assert.equal(await Deno.readTextFile(join(dir, "models.json")), ODD);
      assert.deepEqual(namesIn(dir), ["models.json"]);
    });
  },
});
