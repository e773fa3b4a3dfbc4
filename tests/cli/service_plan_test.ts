import assert from "node:assert/strict";
import { noteOnDeno } from "../../src/cli/service_plan.ts";

Deno.test("noteOnDeno() warns of the Deno that npx keeps, with the command that installs one", () => {
  for (const path of ["/srv/ana/.npm/_npx/7a40/node_modules/deno/deno", "C:\\npm-cache\\_npx\\7a40\\deno.exe"]) {
    const [first = "", second = "", ...more] = noteOnDeno(path);
    assert.match(first, /^note: .*npm may empty one day/);
    assert.match(second, new RegExp(`^ +npm install -g deno@${RegExp.escape(Deno.version.deno)}, `));
    assert.deepEqual(more, []);
  }
});

Deno.test("noteOnDeno() has nothing to say against any other", () => {
  for (const path of ["/srv/ana/.deno/bin/deno", "/usr/bin/deno", "/srv/my_npx/deno", "C:\\_npx_\\deno.exe"]) {
    assert.deepEqual(noteOnDeno(path), []);
  }
});
