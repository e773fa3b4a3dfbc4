import { quoteLines, quoteName } from "../chat/quote.ts";
import { cutText, formatBytes } from "../core/format.ts";
import type { Language } from "../core/language.ts";
import type { MessageAttachment } from "./events.ts";
import { withoutInvisible } from "./readable.ts";

export interface AttachmentOptions {
  /** Of the conversation. */
  readonly language: Language;
  /** Whether the model that will answer can see; images are fetched for no other. */
  readonly seesImages: boolean;
  /**
   * Fetches a file, no more of it than so many bytes. Rejects when it has more, or cannot be had. What it may reach is
   * its own affair: the addresses come from whoever wrote the message's JSON.
   */
  readonly download: (url: string, maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
  /** Bytes of a text file that is read. Default 100,000. */
  readonly fileBytes?: number;
  /** Bytes of all text files together. Default 200,000. */
  readonly totalBytes?: number;
  /** Bytes of all images together. Default 4,000,000: on their way to the model they are in memory several times. */
  readonly imageBytes?: number;
  /** Images of one question. Default 4. */
  readonly mostImages?: number;
  /** Files of one question that are fetched. Default 10: no message of Discord's has more. */
  readonly mostFiles?: number;
  /** UTF-16 units of all text files together, as they are quoted; what is longer is cut. Default 400,000. */
  readonly mostLetters?: number;
}

/** What the model gets of a message's files. */
export interface ReadAttachments {
  /** Text files as quoted lines, a line that names the images, and one with what is not shown. May be empty. */
  readonly text: string;
  /** Images as `data:image/png;base64,…`, in their order. */
  readonly images: readonly string[];
}

/** Why a file is not shown. */
type Obstacle = "kind" | "blind" | "large" | "together" | "encoding" | "unreachable";

interface Words {
  readonly quote: (name: string) => string;
  readonly file: string;
  /** For a file whose end is cut off. */
  readonly beginning: string;
  readonly shown: string;
  readonly notShown: string;
  readonly obstacles: Readonly<Record<Obstacle, string>>;
}

const WORDS: Readonly<Record<Language, Words>> = {
  es: {
    quote: (name) => `«${name}»`,
    file: "Archivo adjunto",
    beginning: "(solo el principio)",
    shown: "Imágenes adjuntas:",
    notShown: "Archivos adjuntos que no puedes ver:",
    obstacles: {
      kind: "no es texto ni una imagen de las conocidas",
      blind: "no puedes ver imágenes",
      large: "demasiado grande",
      together: "demasiado junto con los demás",
      encoding: "no es texto UTF-8",
      unreachable: "no se ha podido descargar",
    },
  },
  en: {
    quote: (name) => `“${name}”`,
    file: "Attached file",
    beginning: "(only its beginning)",
    shown: "Attached pictures:",
    notShown: "Attached files that you cannot see:",
    obstacles: {
      kind: "neither text nor an image of a known kind",
      blind: "you cannot see images",
      large: "too large",
      together: "too much together with the others",
      encoding: "not UTF-8 text",
      unreachable: "it could not be downloaded",
    },
  },
};

/** Text under types that do not begin with `text/`. */
const TEXT_TYPES =
  /^application\/(?:[\w.-]{1,80}\+(?:json|xml|yaml)|json5?|jsonl|x-ndjson|xml|yaml|x-yaml|toml|sql|javascript|x-javascript|typescript|x-sh|x-shellscript|x-python|x-httpd-php|graphql)$/;
/** Nothing that says what is in it. */
const ANY_TYPES = new Set(["", "application/octet-stream", "binary/octet-stream"]);
const TEXT_EXTENSIONS = new Set(
  `txt text log md markdown rst adoc tex csv tsv json json5 jsonc jsonl ndjson yaml yml toml ini cfg conf env properties
  xml svg html htm css scss less js mjs cjs jsx ts mts cts tsx vue svelte py pyi rb php java kt kts groovy gradle scala c h
  cc cpp cxx hpp hh cs fs go rs swift m mm zig nim d dart lua pl pm r jl hs elm ex exs erl clj lisp scm sql graphql proto
  sh bash zsh fish ps1 bat cmd diff patch srt vtt ics vcf tf nix dockerfile makefile gitignore`.split(/\s+/),
);
const IMAGE_TYPES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);
const IMAGE_EXTENSIONS = new Set(["png", "jpg", "jpeg", "webp", "gif"]);

/** What a file is, by its type, else by its name. Types say more than names do, as long as they say anything. */
export function kindOf({ name, contentType }: MessageAttachment): "text" | "image" | "other" {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (IMAGE_TYPES.has(type) || (ANY_TYPES.has(type) && IMAGE_EXTENSIONS.has(extension))) return "image";
  if (type.startsWith("text/") || type === "image/svg+xml" || TEXT_TYPES.test(type)) return "text";
  // Of code hardly any type is known: `.ts` goes for video.
  return TEXT_EXTENSIONS.has(extension) ? "text" : "other";
}

/** A file that the model gets to see, or does not. */
type Outcome =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly url: string }
  | Skipped;

interface Skipped {
  readonly kind: "skipped";
  readonly obstacle: Obstacle;
}

/** A file that is to be fetched. */
interface Wanted {
  readonly kind: "text" | "image";
  readonly maxBytes: number;
}

/**
 * Decides what of a message's files the model gets, and fetches that, all at the same time. A file that cannot be had
 * costs no answer: it is named with the others that are not shown.
 * @throws the reason of the signal, when it aborts
 */
export async function readAttachments(
  attachments: readonly MessageAttachment[],
  options: AttachmentOptions,
): Promise<ReadAttachments> {
  const words = WORDS[options.language];
  const outcomes = await Promise.all(
    planAll(attachments, options).map(async (plan, index) => {
      const { url = "" } = attachments[index] ?? {};
      return plan.kind === "skipped" ? plan : await read(url, plan, options);
    }),
  );
  const [texts, images, seen, skipped]: [string[], string[], string[], string[]] = [[], [], [], []];
  let lettersLeft = options.mostLetters ?? 400_000;
  for (const [index, { name, size }] of attachments.entries()) {
    const [outcome, quoted] = [outcomes[index], words.quote(safeFileName(name))];
    if (outcome?.kind === "text") {
      const whole = quoteLines(outcome.text);
      const shown = cutText(whole, lettersLeft);
      lettersLeft -= shown.length;
      texts.push(`${words.file} ${quoted}${shown === whole ? "" : ` ${words.beginning}`}:\n${shown}`);
    } else if (outcome?.kind === "image") {
      images.push(outcome.url);
      seen.push(quoted);
    } else if (outcome) skipped.push(`${quoted} (${formatBytes(size)}, ${words.obstacles[outcome.obstacle]})`);
  }
  const list = (title: string, items: readonly string[]) => items.length === 0 ? [] : [`${title} ${items.join(", ")}`];
  return { text: [...texts, ...list(words.shown, seen), ...list(words.notShown, skipped)].join("\n\n"), images };
}

/** Files take their room in the order they come in; smaller ones later in the list may still fit. */
function planAll(attachments: readonly MessageAttachment[], options: AttachmentOptions): (Wanted | Skipped)[] {
  const { fileBytes = 100_000, totalBytes = 200_000, imageBytes = 4_000_000, mostImages = 4 } = options;
  const room = { text: totalBytes, image: imageBytes };
  const most = { text: fileBytes, image: imageBytes };
  let [imagesLeft, filesLeft] = [mostImages, options.mostFiles ?? 10];
  return attachments.map((attachment): Wanted | Skipped => {
    const kind = kindOf(attachment);
    if (kind === "other") return skip("kind");
    if (kind === "image" && !options.seesImages) return skip("blind");
    if (attachment.size > most[kind]) return skip("large");
    if (filesLeft-- <= 0 || attachment.size > room[kind] || (kind === "image" && imagesLeft-- <= 0)) {
      return skip("together");
    }
    room[kind] -= attachment.size;
    return { kind, maxBytes: attachment.size };
  });
}

/** UTF-16 units of a name that are looked at. */
const NAME_LETTERS = 200;

/** A name that cannot end its own quotation. */
function safeFileName(name: string): string {
  return quoteName(withoutInvisible(name.slice(0, NAME_LETTERS)).replace(/[«»“”]/g, '"'));
}

async function read(
  url: string,
  { kind, maxBytes }: Wanted,
  { download, signal }: AttachmentOptions,
): Promise<Outcome> {
  signal.throwIfAborted();
  let bytes: Uint8Array;
  try {
    bytes = await download(url, maxBytes, signal);
  } catch {
    signal.throwIfAborted();
    return skip("unreachable");
  }
  if (bytes.length > maxBytes) return skip("large"); // more than the message said
  if (kind === "image") {
    const type = imageTypeOf(bytes);
    return type === undefined ? skip("kind") : { kind, url: `data:${type};base64,${bytes.toBase64()}` };
  }
  const text = decode(bytes);
  return text === undefined ? skip("encoding") : { kind, text: withoutInvisible(text) };
}

/** By its first bytes: what a message says of a file is whatever its author liked. */
function imageTypeOf(bytes: Uint8Array): string | undefined {
  const begin = String.fromCharCode(...bytes.subarray(0, 12));
  if (begin.startsWith("\x89PNG\r\n")) return "image/png";
  if (begin.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (/^GIF8[79]a/.test(begin)) return "image/gif";
  return begin.startsWith("RIFF") && begin.endsWith("WEBP") ? "image/webp" : undefined;
}

/** Undefined for what is not text in UTF-8, be it another encoding or a picture in disguise. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

function skip(obstacle: Obstacle): Skipped {
  return { kind: "skipped", obstacle };
}
