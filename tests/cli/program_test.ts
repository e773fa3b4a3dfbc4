import assert from "node:assert/strict";
import { startScript } from "../support/script.ts";

/** The error document of a command in which the sandbox refused something that nobody had thought of. */
async function readDenial(...args: string[]): Promise<{ message: string; remedy: string; exit_code: number }> {
  await using script = startScript("cli/denied_program.ts", { args });
  return JSON.parse(await script.end()).error;
}

const MESSAGE = "The sandbox does not allow this: Requires sys access";

Deno.test("runProgram() tells what to change when the sandbox refuses something unforeseen", async () => {
  assert.deepEqual(await readDenial(), {
    message: MESSAGE,
    exit_code: 77,
    remedy: "Add what is named to permissions.default in deno.json, or start with the flag it names.",
  });
});

Deno.test("runProgram() tells a binary's user to build it again, as no flag can be given to it", async () => {
  assert.deepEqual(await readDenial("binary"), {
    message: MESSAGE,
    exit_code: 77,
    remedy:
      "Add what is named to permissions.default in deno.json, and build the binary again (deno task compile) with " +
      "every option it was built with.",
  });
});
