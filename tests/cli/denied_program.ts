/** Runs `models` where the sandbox refuses it everything; as the binary when its argument is `binary`. */
import { runProgram } from "../../src/cli/program.ts";
import { actAsBinary } from "../support/standalone.ts";

const refuse = () => Promise.reject(new Deno.errors.NotCapable("Requires sys access"));
using _binary = Deno.args[0] === "binary" ? actAsBinary() : undefined;
await runProgram(["models", "--json", "--no-sandbox"], { openAgent: refuse, openUsage: refuse, startBot: refuse });
