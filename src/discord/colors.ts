/** Discord's own blurple. */
export const DEFAULT_COLOR = 0x5865f2;

/** Names of colours. Source: Discord's brand palette, and the colours it offers for roles where that has none. */
const COLORS: Readonly<Record<string, number>> = {
  blurple: DEFAULT_COLOR,
  green: 0x57f287,
  yellow: 0xfee75c,
  fuchsia: 0xeb459e,
  red: 0xed4245,
  white: 0xffffff,
  black: 0x000000,
  teal: 0x1abc9c,
  blue: 0x3498db,
  purple: 0x9b59b6,
  gold: 0xf1c40f,
  orange: 0xe67e22,
  grey: 0x95a5a6,
  gray: 0x95a5a6,
  navy: 0x34495e,
};

export const COLOR_NAMES: readonly string[] = Object.keys(COLORS);

/** 0 means "no colour" to Discord. */
const BLACK = 0x000001;

/** 0xRRGGBB of `#5865F2`, `#fff`, `0x5865F2` or a name; undefined for anything else. */
export function parseColor(text: string): number | undefined {
  const value = text.trim().toLowerCase();
  const named = Object.hasOwn(COLORS, value) ? COLORS[value] : undefined;
  const color = named ?? parseHex(value);
  return color === 0 ? BLACK : color;
}

function parseHex(value: string): number | undefined {
  const [, digits] = /^(?:#|0x)([0-9a-f]{6}|[0-9a-f]{3})$/.exec(value) ?? [];
  if (digits === undefined) return undefined;
  return parseInt(digits.length === 3 ? digits.replace(/./g, "$&$&") : digits, 16);
}
