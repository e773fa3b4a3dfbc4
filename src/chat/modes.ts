import type { Texts } from "../config/prompts.ts";
import type { Language } from "../core/language.ts";
import type { CognitiveMode } from "../core/types.ts";
import type { Recalled, RecalledKind } from "../memory/recall.ts";
import type { KnowledgeSource } from "./chat.ts";
import { formatDate } from "./prompt.ts";
import type { WebResult } from "./web_search.ts";

/** What a cognitive mode draws on. */
export interface Mode {
  /** Parts of the memory that are searched. What was said in the conversation a model is always told. */
  readonly recalls: readonly RecalledKind[];
  /** Whether a model is asked. */
  readonly thinks: boolean;
  /** Whether general knowledge and the web may be used. */
  readonly open: boolean;
}

/** The cognitive modes of the source system. */
export const MODES: Readonly<Record<CognitiveMode, Mode>> = {
  1: { recalls: ["learned_knowledge", "episodic"], thinks: true, open: true },
  2: { recalls: ["learned_knowledge"], thinks: true, open: false },
  3: { recalls: ["working", "learned_knowledge", "episodic"], thinks: false, open: false },
};

/** What may have to do with it is told sparingly. */
const MOST_UNSURE = 2;

/** What of the memory is told without a model: what is about it, or else a little of what may be. */
export function chooseMemories(recalled: readonly Recalled[]): readonly Recalled[] {
  const certain = recalled.filter(({ relevant }) => relevant);
  return certain.length > 0 ? certain : recalled.slice(0, MOST_UNSURE);
}

/** The answer of mode 3: what is remembered, with its sources, or that nothing is. */
export function tellMemories(told: readonly Recalled[], texts: Texts, language: Language): string {
  if (told.length === 0) return texts.nothing_remembered;
  const intro = told.some(({ relevant }) => relevant) ? texts.remembered : texts.perhaps_remembered;
  return [intro, ...told.map((item) => `**${titleOf(item, texts, language)}**\n${item.text}`)].join("\n\n");
}

function titleOf({ kind, source, heading, at_ms }: Recalled, texts: Texts, language: Language): string {
  switch (kind) {
    case "working":
      return texts.from_conversation;
    case "episodic":
      return texts.from_episode.replace("{date}", () => formatDate(at_ms, language));
    case "learned_knowledge":
      return heading === "" ? source : `${source} · ${heading}`;
  }
}

/** What an answer could draw on, for whoever asks where it comes from. */
export interface Used {
  readonly conversation_id: string;
  /** True when the model was told what was said before. */
  readonly history: boolean;
  readonly recalled: readonly Recalled[];
  readonly web: readonly WebResult[] | null | undefined;
  readonly context: boolean;
}

/** Names it. */
export function nameSources({ conversation_id, history, recalled, web, context }: Used): KnowledgeSource[] {
  const conversation = { source: conversation_id, id: null, heading: null };
  const said = history || recalled.some(({ kind }) => kind === "working");
  return [
    ...(said ? [{ kind: "working" as const, ...conversation }] : []),
    ...recalled.flatMap(({ kind, source, id, heading }) =>
      kind === "working" ? [] : [{ kind, source, id, heading: heading === "" ? null : heading }]
    ),
    ...(web ?? []).map(({ url, title }) => ({ kind: "web" as const, source: url, id: null, heading: title })),
    ...(context ? [{ kind: "context" as const, ...conversation }] : []),
  ];
}
