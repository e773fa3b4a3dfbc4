import manifest from "../../deno.json" with { type: "json" };

/** The version of the program, as deno.json names it. */
export const VERSION = manifest.version;
