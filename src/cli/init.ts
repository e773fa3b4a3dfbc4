import type { Command } from "commander";
import { writeStarter } from "../config/starter.ts";
import { tell } from "./output.ts";
import type { CurrentSession } from "./session.ts";

/** `init`: a commented starter configuration. */
export function addInit(program: Command, session: CurrentSession): void {
  program.command("init")
    .description("Write a commented starter config/ and .env; nothing that exists is touched")
    .addHelpText("after", "\nExample:\n  django-agent init")
    .action(async () => {
      const { written, kept } = await writeStarter({ configDir: session().options.config, envPath: ".env" });
      for (const path of written) tell(`written  ${path}`);
      for (const path of kept) tell(`kept     ${path} (it was there already)`);
    });
}
