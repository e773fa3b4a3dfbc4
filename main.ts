/** django-agent: hands the arguments to the command table. The rest of the program is loaded when it is needed. */
import { runProgram } from "./src/cli/program.ts";

const code = await runProgram(Deno.args, {
  openAgent: async (options) => (await import("./src/app.ts")).openAgent(options),
  openUsage: async (options) => (await import("./src/app.ts")).openUsage(options),
  startBot: async (options) => (await import("./src/app_bot.ts")).startBot(options),
});
Deno.exit(code);
