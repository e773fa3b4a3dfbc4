import type { Prompts, Texts } from "../config/prompts.ts";
import type { Language } from "../core/language.ts";
import { once } from "../core/once.ts";
import type { Image, Message } from "../core/types.ts";
import type { Recalled } from "../memory/recall.ts";
import { lastMessages, type WorkingMessage } from "../memory/working.ts";
import { defuse, quoteLines } from "./quote.ts";
import type { WebResult } from "./web_search.ts";
import { lettersOf } from "./window.ts";

/** What one message is answered with. */
export interface PromptParts {
  readonly prompts: Prompts;
  readonly language: Language;
  readonly history: readonly WorkingMessage[];
  readonly message: string;
  /** Pictures that go with the message. */
  readonly images: readonly Image[];
  readonly notes: Notes;
}

/** What is true for this message only. */
export interface Notes {
  readonly now: Date;
  /** The name of whoever speaks, as `quoteName` writes it. */
  readonly speaker: string | undefined;
  readonly recalled: readonly Recalled[];
  /** Whether more than memory and conversation may be used. */
  readonly open: boolean;
  /** Undefined when the web was not to be searched, null when it could not be. */
  readonly web: readonly WebResult[] | null | undefined;
  /** What the caller sees around it; with it the agent may keep silent. */
  readonly context: string | undefined;
  /** How many pictures came with the message that the model is not sent. */
  readonly unseen: number;
}

/**
 * Lays a prompt out so that a model that remembers its beginning (Ollama's prefix cache) has little to read anew:
 * persona and rules, which never change; what was said, to which is only added; and in the last message, with what is
 * asked, everything that changes each time.
 */
export function layOut({ prompts, language, history, message, images, notes }: PromptParts): Message[] {
  const content = defuse(`${writeNotes(prompts.texts, language, notes)}\n${message}`);
  return [
    { role: "system", content: `${prompts.persona}\n\n${prompts.rules}` },
    ...history.map(({ role, content }): Message => ({ role, content: defuse(content) })),
    { role: "user", content, ...(images.length > 0 && { images }) },
  ];
}

/**
 * Makes a prompt fit: of what was said the older half goes, as often as it takes, so that the rest stays the same for
 * many messages to come; then what is remembered, from its end; then the middle of the context. Persona and rules stay.
 */
export function fitPrompt(parts: PromptParts, letters: number): PromptParts {
  if (lettersOf(layOut(parts)) <= letters) return parts;
  const { history, notes } = parts;
  if (history.length > 0) {
    return fitPrompt({ ...parts, history: lastMessages(history, Math.floor(history.length / 2)) }, letters);
  }
  if (notes.recalled.length > 0) {
    return fitPrompt({ ...parts, notes: { ...notes, recalled: notes.recalled.slice(0, -1) } }, letters);
  }
  if (notes.web && notes.web.length > 0) {
    return fitPrompt({ ...parts, notes: { ...notes, web: notes.web.slice(0, -1) } }, letters);
  }
  const over = lettersOf(layOut(parts)) - letters;
  const { context = "" } = notes;
  if (context.length > LEAST_CONTEXT) {
    const shorter = shortenMiddle(context, Math.max(LEAST_CONTEXT, context.length - over - CONTEXT_RESERVE));
    return { ...parts, notes: { ...notes, context: shorter } };
  }
  return parts; // the router says what does not fit
}

/** Letters of a context that are always told, and those that its bars may take up. */
const LEAST_CONTEXT = 500;
const CONTEXT_RESERVE = 500;

/** What a context begins with says where one is, what it ends with is the latest: lines in between go. */
function shortenMiddle(text: string, letters: number): string {
  const head = text.slice(0, letters / 4);
  const tail = text.slice(-(letters - head.length));
  const [first, last] = [head.lastIndexOf("\n"), tail.indexOf("\n")];
  return `${head.slice(0, first < 0 ? head.length : first)}\n…\n${tail.slice(last + 1)}`.toWellFormed();
}

function writeNotes(texts: Texts, language: Language, notes: Notes): string {
  const { now, speaker, recalled, open, web, context, unseen } = notes;
  return [
    texts.notes_begin,
    texts.now.replace("{date}", () => formatMoment(now, language)),
    ...(speaker === undefined ? [] : [texts.speaker, quoteLines(speaker)]),
    `${knowledgeOf(texts, recalled)} (${open ? texts.open : texts.memory_only})`,
    ...recalled.flatMap((item) => quoteMemory(texts, language, item)),
    ...(web === null ? [texts.web_failed] : []),
    ...(web ?? []).flatMap(({ url, title, text }) => [texts.web, quoteLines([url, title, text].join("\n"))]),
    ...(context === undefined ? [] : [texts.context, quoteLines(context), texts.may_keep_silent]),
    ...(unseen > 0 ? [texts.unseen.replace("{count}", () => String(unseen))] : []),
    texts.notes_end,
  ].join("\n");
}

function knowledgeOf(texts: Texts, recalled: readonly Recalled[]): string {
  if (recalled.some(({ relevant }) => relevant)) return texts.knowledge_sufficient;
  return recalled.length > 0 ? texts.knowledge_partial : texts.knowledge_none;
}

/** Names and headings are as much somebody else's as the text. */
function quoteMemory(texts: Texts, language: Language, { kind, source, heading, text, at_ms }: Recalled): string[] {
  if (kind !== "learned_knowledge") {
    return [texts.episode.replace("{date}", () => formatDate(at_ms, language)), quoteLines(text)];
  }
  const title = [source, heading, formatDate(at_ms, language)].filter((part) => part !== "").join(" · ");
  return [texts.learned, quoteLines(`${title}\n${text}`)];
}

const LOCALES: Readonly<Record<Language, string>> = { es: "es-ES", en: "en-GB" };

/** Made when first wanted: each takes longer to make than everything else that belongs to a prompt. */
const FORMATS = {
  moment: byLanguage({ dateStyle: "full", timeStyle: "short" }),
  date: byLanguage({ dateStyle: "long" }),
};

function byLanguage(options: Intl.DateTimeFormatOptions): Readonly<Record<Language, () => Intl.DateTimeFormat>> {
  const format = (language: Language) => once(() => new Intl.DateTimeFormat(LOCALES[language], options));
  return { es: format("es"), en: format("en") };
}

function formatMoment(moment: Date, language: Language): string {
  return FORMATS.moment[language]().format(moment);
}

/** A day for people: `26 de noviembre de 2026`, `26 November 2026`. */
export function formatDate(ms: number, language: Language): string {
  return FORMATS.date[language]().format(ms);
}
