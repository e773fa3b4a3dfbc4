/**
 * What the memory of a process may rise by when nothing is lost in it, in MB: of the bot from the first to the second
 * half of a million messages, of `serve` over the second half of 100,000 requests.
 */
export const MEMORY_RISE_MB = { bot: 5, serve: 3 } as const;
