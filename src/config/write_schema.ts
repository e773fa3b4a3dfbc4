/** Writes `config/models.schema.json` anew: `deno task schema`. A program of its own, which nothing imports. */
import { schemaFileText } from "./schema.ts";

await Deno.writeTextFile("config/models.schema.json", schemaFileText());
