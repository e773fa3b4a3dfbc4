import manifest from "../../deno.json" with { type: "json" };

/** The version of the program, as deno.json names it. */
export const VERSION = manifest.version;

/**
 * Discord wants to know who asks, as an address and a version. This program has no page of its own; `.invalid`
 * (RFC 2606) is nobody's.
 */
export const DISCORD_USER_AGENT = `DiscordBot (https://django-agent.invalid, ${VERSION})`;
