import { quoteLines, quoteName } from "../chat/quote.ts";
import { formatBytes } from "../core/format.ts";
import type { Language } from "../core/language.ts";
import type { MessageAttachment } from "./events.ts";
import { withoutInvisible } from "./readable.ts";

export interface AttachmentOptions {
  /** Of the conversation. */
  readonly language: Language;
  /** Whether the model that will answer can see. */
  readonly seesImages: boolean;
  /**
   * Fetches a file, no more of it than so many bytes. Rejects when it has more, or cannot be had. What it may reach is
   * its own affair: the addresses come from whoever wrote the message's JSON.
   */
  readonly download: (url: string, maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
  /** Bytes of a text file that is read. Default 100,000. */
  readonly fileBytes?: number;
  /** Bytes of all text files together; smaller ones later in the list may still fit. Default 200,000. */
  readonly totalBytes?: number;
  /** Bytes of an image that is passed on. Default 10,000,000. */
  readonly imageBytes?: number;
}

/** What the model gets of a message's files. */
export interface ReadAttachments {
  /** Text files as quoted lines, then one line that names what is not shown. Goes behind the message; may be empty. */
  readonly text: string;
  /** Addresses of images, in their order; nothing of them has been fetched. */
  readonly images: readonly string[];
}

/** Why a file is not shown. */
type Obstacle = "kind" | "blind" | "large" | "together" | "encoding" | "unreachable";

interface Words {
  readonly quote: (name: string) => string;
  readonly file: string;
  readonly notShown: string;
  readonly obstacles: Readonly<Record<Obstacle, string>>;
}

const WORDS: Readonly<Record<Language, Words>> = {
  es: {
    quote: (name) => `«${name}»`,
    file: "Archivo adjunto",
    notShown: "Archivos adjuntos que no puedes ver:",
    obstacles: {
      kind: "no es texto ni imagen",
      blind: "no puedes ver imágenes",
      large: "demasiado grande",
      together: "demasiado grande junto con los demás",
      encoding: "no es texto UTF-8",
      unreachable: "no se ha podido descargar",
    },
  },
  en: {
    quote: (name) => `“${name}”`,
    file: "Attached file",
    notShown: "Attached files that you cannot see:",
    obstacles: {
      kind: "neither text nor image",
      blind: "you cannot see images",
      large: "too large",
      together: "too large together with the others",
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

/** A file that is read, passed on, or neither. */
type Outcome =
  | { readonly kind: "text"; readonly text: string; readonly bytes: number }
  | { readonly kind: "image"; readonly url: string }
  | { readonly kind: "skipped"; readonly obstacle: Obstacle };

/**
 * Decides what of a message's files the model gets, and fetches the texts, one after the other. A file that cannot be
 * had costs no answer: it is named with the others that are not shown.
 * @throws the reason of the signal, when it aborts
 */
export async function readAttachments(
  attachments: readonly MessageAttachment[],
  options: AttachmentOptions,
): Promise<ReadAttachments> {
  const words = WORDS[options.language];
  const [texts, images, skipped]: [string[], string[], string[]] = [[], [], []];
  let room = options.totalBytes ?? 200_000;
  for (const attachment of attachments) {
    const name = words.quote(safeFileName(attachment.name));
    const outcome = await read(attachment, room, options);
    if (outcome.kind === "image") images.push(outcome.url);
    else if (outcome.kind === "skipped") {
      skipped.push(`${name} (${formatBytes(attachment.size)}, ${words.obstacles[outcome.obstacle]})`);
    } else {
      room -= outcome.bytes;
      texts.push(`${words.file} ${name}:\n${quoteLines(outcome.text)}`);
    }
  }
  const rest = skipped.length === 0 ? [] : [`${words.notShown} ${skipped.join(", ")}`];
  return { text: [...texts, ...rest].join("\n\n"), images };
}

/** UTF-16 units of a name that are looked at. */
const NAME_LETTERS = 200;

/** A name that cannot end its own quotation. */
function safeFileName(name: string): string {
  return quoteName(withoutInvisible(name.slice(0, NAME_LETTERS)).replace(/[«»“”]/g, '"'));
}

async function read(attachment: MessageAttachment, room: number, options: AttachmentOptions): Promise<Outcome> {
  const { seesImages, imageBytes = 10_000_000, fileBytes = 100_000 } = options;
  const { url, size } = attachment;
  const kind = kindOf(attachment);
  if (kind === "other") return skip("kind");
  if (kind === "image") {
    if (!seesImages) return skip("blind");
    return size > imageBytes ? skip("large") : { kind: "image", url };
  }
  if (size > fileBytes) return skip("large");
  return size > room ? skip("together") : await readText(url, Math.min(fileBytes, room), options);
}

async function readText(url: string, maxBytes: number, { download, signal }: AttachmentOptions): Promise<Outcome> {
  signal.throwIfAborted();
  let bytes: Uint8Array;
  try {
    bytes = await download(url, maxBytes, signal);
  } catch {
    signal.throwIfAborted();
    return skip("unreachable");
  }
  if (bytes.length > maxBytes) return skip("large"); // more than the message said
  const text = decode(bytes);
  return text === undefined ? skip("encoding") : { kind: "text", text: withoutInvisible(text), bytes: bytes.length };
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

function skip(obstacle: Obstacle): Outcome {
  return { kind: "skipped", obstacle };
}
