import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** Files of tests in the threat model, each with the parts of names that follow it. */
function references(text: string): (readonly [file: string, name: string])[] {
  return text.split("`tests/").slice(1).flatMap((part) => {
    const file = `tests/${part.slice(0, part.indexOf("`"))}`;
    return [...part.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => [file, name] as const);
  });
}

/** What a file calls its tests and their steps; where a name is put together, its text as it stands there. */
function titlesIn(code: string): string[] {
  const titles = /(?:Deno\.test|pageTest|each|t\.step)\(\s*(?:\{\s*name:\s*)?(["`])((?:\\.|(?!\1)[^\\])*)\1/g;
  return [...code.matchAll(titles)].map(([, , title = ""]) => title);
}

Deno.test("every test that the threat model names exists", async () => {
  const text = (await Deno.readTextFile(new URL("src/privacy/threat_model.md", ROOT))).replaceAll(/\s+/g, " ");
  const named = references(text);
  assert.ok(named.length >= 30, `only ${named.length} tests are named`);
  for (const [file, name] of named) {
    const titles = titlesIn(await Deno.readTextFile(new URL(file, ROOT)));
    assert.ok(titles.some((title) => title.includes(name)), `${file} has no test "${name}"`);
  }
});
