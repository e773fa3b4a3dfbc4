/** Writes the JSON Schemas in `config/` anew: `deno task schema`. A program of its own, which nothing imports. */
import { discordSchemaFileText } from "./discord_settings.ts";
import { schemaFileText } from "./schema.ts";

await Deno.writeTextFile("config/models.schema.json", schemaFileText());
await Deno.writeTextFile("config/discord.schema.json", discordSchemaFileText());
