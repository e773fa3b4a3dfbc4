/** A length of time for people: `4.2 ms`, `420 ms`, `1.25 s`, `12.3 s`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  return `${Number((ms / 1000).toFixed(ms < 9_995 ? 2 : 1))} s`;
}

/** A wait for people, rounded up to whole seconds: `1 s`, `42 s`. */
export function formatWait(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}

/** An amount of US dollars for people: `$0`, `$0.001234`, `$0.1234`, `$12.34`. */
export function formatUsd(usd: number): string {
  if (usd === 0) return "$0";
  return `$${usd.toFixed(usd < 0.01 ? 6 : usd < 1 ? 4 : 2)}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes for people: `512 B`, `3.4 GiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/**
 * Text without the control characters (C0 but tab and newline, DEL, C1) that could move a terminal's cursor, change
 * its title or type for its user, and without those that turn the direction of what follows (UAX #9, 2.1 to 2.4).
 */
export function printable(text: string): string {
  return text.replace(/(?![\t\n])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, "");
}

/** The first `letters` of a text at most; never half a letter. */
export function cutText(text: string, letters: number): string {
  const half = /[\ud800-\udbff]/.test(text[letters - 1] ?? "") && /[\udc00-\udfff]/.test(text[letters] ?? "");
  return text.slice(0, half ? letters - 1 : letters);
}
