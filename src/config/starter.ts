import { join } from "node:path";
import { discordSchemaFileText, EMBEDDED_DISCORD_TEXT } from "./discord_settings.ts";
import { EMBEDDED_TEXT, modelsPath } from "./load.ts";
import { EMBEDDED_PROMPTS } from "./prompts.ts";
import { describeAccess } from "./read_file.ts";
import { schemaFileText } from "./schema.ts";

export interface StarterOptions {
  /** Folder for `models.json` and `discord.json`, their schemas and the prompts; created when missing. */
  readonly configDir: string;
  /** Where the file for secrets goes. */
  readonly envPath: string;
}

export interface StarterReport {
  /** Paths of the files that were written. */
  readonly written: readonly string[];
  /** Paths of the files that were there already and stay as they are. */
  readonly kept: readonly string[];
}

const ENV_TEXT = `# Secrets and addresses of django-agent. None is needed to start; keep this file to yourself.
# Remove the # before a line that shall count. What your environment sets comes before what stands here.

# Keys of the cloud providers. They are used only with --cloud and a profile that names a cloud model.
# GEMINI_API_KEY=
# GROQ_API_KEY=

# Where Ollama listens, if not at 127.0.0.1:11434.
# OLLAMA_HOST=

# A PostgreSQL that several machines share their token counts in. Without it they stay in ./data/django.db.
# DATABASE_URL=postgres://user:password@127.0.0.1:5432/name

# The token other machines need, if "serve" is to listen for them too, for example what "openssl rand -hex 32" prints.
# DJANGO_API_TOKEN=

# The token of your Discord bot. With it "serve" takes part in your server's conversations; see config/discord.json.
# DISCORD_BOT_TOKEN=

# The webhook that "post" posts to: in Discord under channel settings, Integrations, Webhooks, Copy Webhook URL.
# DISCORD_WEBHOOK_URL=

# Another server that speaks Discord's API, if not Discord itself.
# DISCORD_API_URL=

# How much is logged: error, warn, info, debug.
# DJANGO_LOG_LEVEL=
`;

/**
 * Writes a commented starter configuration and `.env` (readable by its owner only). Never overwrites anything.
 * @throws AgentError when a file cannot be written
 */
export async function writeStarter({ configDir, envPath }: StarterOptions): Promise<StarterReport> {
  const promptsDir = join(configDir, "prompts");
  const report = { written: [] as string[], kept: [] as string[] };
  const files = [
    { path: modelsPath({ dir: configDir }), text: EMBEDDED_TEXT, mode: 0o644 },
    { path: join(configDir, "models.schema.json"), text: schemaFileText(), mode: 0o644 },
    { path: join(configDir, "discord.json"), text: EMBEDDED_DISCORD_TEXT, mode: 0o644 },
    { path: join(configDir, "discord.schema.json"), text: discordSchemaFileText(), mode: 0o644 },
    ...Object.entries(EMBEDDED_PROMPTS).map(([name, text]) => ({ path: join(promptsDir, name), text, mode: 0o644 })),
    { path: envPath, text: ENV_TEXT, mode: 0o600 },
  ];
  try {
    await Deno.mkdir(promptsDir, { recursive: true });
  } catch (error) {
    throw describeAccess(error, "write", configDir);
  }
  for (const { path, text, mode } of files) {
    const isNew = await writeNew(path, text, mode);
    (isNew ? report.written : report.kept).push(path);
  }
  return report;
}

async function writeNew(path: string, text: string, mode: number): Promise<boolean> {
  try {
    await Deno.writeTextFile(path, text, { createNew: true, mode });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw describeAccess(error, "write", path);
  }
}
