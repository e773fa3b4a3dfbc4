import { writeStarter } from "../config/starter.ts";
import { createCommand } from "./command.ts";
import { tell } from "./output.ts";

/** `init`: a commented starter configuration. */
export const init = createCommand({
  brief: "Write a commented starter config/ and .env; nothing that exists is touched",
  options: {},
  examples: ["django-agent init"],
  async run({ options: { config } }) {
    const { written, kept } = await writeStarter({ configDir: config, envPath: ".env" });
    for (const path of written) tell(`written  ${path}`);
    for (const path of kept) tell(`kept     ${path} (it was there already)`);
  },
});
