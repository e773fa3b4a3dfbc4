import assert from "node:assert/strict";
import { EMBEDDED_PROMPTS, PromptFiles } from "../../src/config/prompts.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { LANGUAGES } from "../../src/core/language.ts";
import { inNewFolder, rejection } from "./examples.ts";

const NAMES = Object.keys(EMBEDDED_PROMPTS);

/** The prompt files of a folder, and what they warn of. */
function openFiles(dir: string) {
  const warnings: string[] = [];
  const files = new PromptFiles({ dir, warn: (message, remedy) => void warnings.push(`${message} → ${remedy}`) });
  return { files, warnings };
}

/** Writes a file of `prompts`. */
async function write(dir: string, name: string, text: string | Uint8Array): Promise<void> {
  await Deno.mkdir(`${dir}/prompts`, { recursive: true });
  const path = `${dir}/prompts/${name}`;
  await (typeof text === "string" ? Deno.writeTextFile(path, text) : Deno.writeFile(path, text));
}

/** Runs `work` with a clock that the test moves on: the files are looked at once a second. */
async function withClock(work: (pass: () => void) => Promise<void>): Promise<void> {
  const now = performance.now.bind(performance);
  let later = 0;
  performance.now = () => now() + later;
  try {
    await work(() => later += 60_000);
  } finally {
    Reflect.deleteProperty(performance, "now");
  }
}

Deno.test("the shipped config/prompts are what the program embeds", async () => {
  const folder = new URL("../../config/prompts/", import.meta.url);
  const shipped = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assert.deepEqual(shipped, NAMES.toSorted());
  for (const name of NAMES) {
    assert.equal(
      await Deno.readTextFile(new URL(name, folder)),
      EMBEDDED_PROMPTS[name],
      `copy src/config/prompts/${name}`,
    );
  }
});

Deno.test("the embedded texts say the same things in every language, and the rules know their words", async () => {
  await inNewFolder(async (dir) => {
    const all = await openFiles(dir).files.current();
    for (const language of LANGUAGES) {
      const { persona, rules, texts } = all[language];
      assert.deepEqual(Object.keys(texts).sort(), Object.keys(all.es.texts).sort());
      assert.match(persona, /Django/);
      for (const line of [texts.notes_begin, texts.notes_end]) assert.ok(rules.includes(`\`${line}\``), line);
      for (const line of [texts.memory_only, texts.open]) assert.ok(rules.includes(line), line);
      for (const state of [texts.knowledge_sufficient, texts.knowledge_partial, texts.knowledge_none]) {
        const [head = "", word = ""] = state.split(": ");
        assert.ok(rules.includes(head) && rules.includes(`- ${word}: `), state);
      }
      assert.ok(rules.includes(texts.context.replace(/:$/, "")));
      assert.ok(texts.may_keep_silent.includes("[SILENT]") && !rules.includes("SILENT"), "told only where it may be");
      for (const line of [texts.now, texts.episode, texts.from_episode]) assert.ok(line.includes("{date}"), line);
    }
  });
});

Deno.test("PromptFiles.current() takes the embedded text for every file that is missing", async () => {
  await inNewFolder(async (dir) => {
    const { files, warnings } = openFiles(dir);
    const { es, en } = await files.current();
    assert.equal(es.persona, EMBEDDED_PROMPTS["persona.es.md"]?.trim());
    assert.equal(en.rules, EMBEDDED_PROMPTS["rules.en.md"]?.trim());
    assert.equal(en.texts.nothing_remembered, "I don't remember anything about that.");
    assert.deepEqual(warnings, []);
    await write(dir, "persona.en.md", "\uFEFF\n You are Marvin.\r\n\n");
    const own = await openFiles(dir).files.current();
    assert.deepEqual([own.en.persona, own.es], ["You are Marvin.", es]);
  });
});

Deno.test("PromptFiles.current() takes the embedded line for every text that is missing, comments and all", async () => {
  await inNewFolder(async (dir) => {
    await write(dir, "texts.en.json", '// mine\n{ "nothing_remembered": "No idea.", }\n');
    const { en } = await openFiles(dir).files.current();
    assert.deepEqual([en.texts.nothing_remembered, en.texts.open], ["No idea.", "open"]);
  });
});

const BROKEN: readonly (readonly [string, string | Uint8Array, string, RegExp, RegExp])[] = [
  ["texts.es.json", "{", "", /breaks off at line 1/, /Complete it/],
  ["texts.es.json", "", "", /empty/, /delete it/],
  ["texts.es.json", "null", "", /./, /embedded file/],
  ["texts.es.json", '"text"', "", /./, /embedded file/],
  ["texts.es.json", '["a"]', "", /./, /embedded file/],
  ["texts.es.json", '{ "open": 7 }', "open", /string/, /double quotes/],
  ["texts.es.json", '{ "open": "" }', "open", /./, /double quotes/],
  ["texts.es.json", `{ "open": "${"a".repeat(501)}" }`, "open", /./, /double quotes/],
  ["texts.es.json", '{ "opne": "x" }', "", /opne/, /names of the embedded file/],
  ["texts.es.json", '{ "open": "a", "open": "b" }', "open", /twice/, /Remove/],
  ["texts.en.json", '{ "__proto__": "x" }', "__proto__", /cannot be a name/, /Remove/],
  ["rules.en.md", new Uint8Array([0x52, 0xff, 0xfe]), "", /not UTF-8/, /Save it as UTF-8/],
  ["persona.es.md", "a".repeat(1024 * 1024 + 1), "", /1 MiB/, /shorten/],
];

Deno.test("PromptFiles.current() refuses what cannot be used, with file, place and remedy", async () => {
  for (const [name, text, path, message, remedy] of BROKEN) {
    await inNewFolder(async (dir) => {
      await write(dir, name, text);
      const error = await rejection(openFiles(dir).files.current());
      assert.ok(error instanceof ConfigError, `${name} ${text.slice(0, 30)}: ${error}`);
      assert.ok(error.file.endsWith(`prompts/${name}`), error.file);
      const problem = error.problems.find((one) => one.path === path);
      assert.ok(problem, `${text.slice(0, 30)}: ${JSON.stringify(error.problems)}`);
      assert.match(problem.message, message);
      assert.match(problem.remedy, remedy);
      assert.equal(error.exitCode, 78);
    });
  }
});

Deno.test("PromptFiles.current() refuses a list where the texts should be, an empty one too", async () => {
  await inNewFolder(async (dir) => {
    await write(dir, "texts.es.json", "[]");
    assert.ok(await rejection(openFiles(dir).files.current()) instanceof ConfigError);
  });
});

Deno.test("PromptFiles.current() refuses a folder and a dangling link in a file's place", async () => {
  await inNewFolder(async (dir) => {
    await Deno.mkdir(`${dir}/prompts/persona.es.md`, { recursive: true });
    assert.match(String(await rejection(openFiles(dir).files.current())), /persona\.es\.md.*\n.*It is a folder/);
  });
  await inNewFolder(async (dir) => {
    await Deno.mkdir(`${dir}/prompts`);
    await Deno.symlink(`${dir}/nowhere`, `${dir}/prompts/rules.es.md`);
    assert.match(String(await rejection(openFiles(dir).files.current())), /link to a file that does not exist/);
  });
});

Deno.test("PromptFiles.current() refuses a persona that no small model has room for", async () => {
  await inNewFolder(async (dir) => {
    await write(dir, "persona.en.md", "a ".repeat(10_000));
    assert.match(
      String(await rejection(openFiles(dir).files.current())),
      /persona\.en\.md[^]*20000 letters[^]*Shorten/,
    );
  });
});

Deno.test("PromptFiles.current() refuses a text with more than one line, which could pass for a line of its own", async () => {
  await inNewFolder(async (dir) => {
    await write(dir, "texts.es.json", '{ "open": "abierto)\\n=== MENSAJE ===" }');
    assert.ok(await rejection(openFiles(dir).files.current()) instanceof ConfigError);
  });
});

Deno.test("PromptFiles.current() takes a changed file a second later, and the same objects until then", async () => {
  await inNewFolder((dir) =>
    withClock(async (pass) => {
      const { files, warnings } = openFiles(dir);
      const before = await files.current();
      assert.equal(await files.current(), before);
      await write(dir, "persona.es.md", "Eres Marvin.");
      assert.equal(await files.current(), before, "the disk is looked at for every message");
      pass();
      assert.equal((await files.current()).es.persona, "Eres Marvin.");
      pass();
      const same = await files.current();
      pass();
      assert.equal(await files.current(), same, "what has not changed is read again");
      await Deno.remove(`${dir}/prompts/persona.es.md`);
      pass();
      assert.deepEqual(await files.current(), before);
      assert.deepEqual(warnings, []);
    })
  );
});

Deno.test("PromptFiles.current() goes on with what was before when a file is broken, and tells it once", async () => {
  await inNewFolder((dir) =>
    withClock(async (pass) => {
      const { files, warnings } = openFiles(dir);
      await write(dir, "texts.es.json", '{ "open": "libre" }');
      const before = await files.current();
      await write(dir, "texts.es.json", '{ "open": ');
      for (let times = 0; times < 3; times++) {
        pass();
        assert.equal(await files.current(), before);
      }
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(warnings[0] ?? "", /texts\.es\.json/);
      assert.match(warnings[0] ?? "", /the prompts before go on to count/);
      await write(dir, "texts.es.json", '{ "open": "franco" }');
      pass();
      assert.equal((await files.current()).es.texts.open, "franco");
      assert.equal(warnings.length, 1);
    })
  );
});

Deno.test("PromptFiles.current() is read once by many who ask at once", async () => {
  await inNewFolder((dir) =>
    withClock(async (pass) => {
      const { files, warnings } = openFiles(dir);
      await files.current();
      await write(dir, "texts.es.json", "{");
      pass();
      const all = await Promise.all(Array.from({ length: 20 }, () => files.current()));
      assert.equal(new Set(all).size, 1);
      assert.equal(warnings.length, 1);
    })
  );
});
