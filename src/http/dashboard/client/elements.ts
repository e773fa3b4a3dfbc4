/// <reference lib="dom" />
/** Pieces that several views are made of. */
import { type ComponentChild, type ComponentChildren, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Api, ApiFailure } from "./api.ts";
import type { Privacy, RouterStatus } from "./api_types.ts";
import type { Conversation } from "./conversation.ts";
import type { Knowledge } from "./knowledge.ts";
import type { Observable } from "./observable.ts";
import type { Language, Words } from "./words.ts";

/** What every view is given. */
export interface ViewProps {
  readonly words: Words;
  readonly language: Language;
  readonly api: Api;
  readonly knowledge: Knowledge;
  readonly conversation: Conversation;
  /** What is being written to be taught. */
  readonly lesson: Observable<Lesson>;
}

/** A text for the memory, and the name it goes by. */
export interface Lesson {
  readonly content: string;
  readonly source: string;
}

interface CardProps {
  readonly title: string;
  /** Takes the whole width where others stand beside each other. */
  readonly isWide?: boolean;
  readonly children?: ComponentChildren;
}

/** A part of a view with a heading of its own. */
export function Card({ title, isWide = false, children }: CardProps): ComponentChild {
  return h("section", { class: isWide ? "card wide" : "card" }, h("h2", null, title), children);
}

/** State of the road to a provider, as a light shows it. */
export type LaneState = "closed" | "open" | "half_open" | "unusable";
type Lane = RouterStatus["providers"][string];

/** What the light of a provider shows. */
export function stateOf({ usable, breaker }: Lane): LaneState {
  return usable ? breaker : "unusable";
}

interface LaneProps {
  readonly lane: Lane;
  readonly words: Words;
}

/** A light with its word: colour alone says nothing to many people. */
export function Led({ lane, words }: LaneProps): ComponentChild {
  const state = stateOf(lane);
  return h("span", { class: `led led-${state}`, "data-state": state }, h("i", { "aria-hidden": "true" }), words[state]);
}

/** Why a light is as it is, with the seconds until the next try counted down. */
export function LaneReason({ lane, words }: LaneProps): ComponentChild {
  const now = useNow();
  const state = stateOf(lane);
  if (state === "unusable") return h("span", { lang: "en" }, lane.reason);
  if (state === "closed") return h("span", null, words.closedWhy);
  if (state === "half_open") return h("span", null, words.halfOpenWhy);
  const seconds = lane.retry_at === null ? 0 : Math.ceil((Date.parse(lane.retry_at) - now) / 1000);
  const kind = words.kinds[lane.last_error_kind as keyof Words["kinds"]] ?? lane.last_error_kind;
  const next = seconds > 0 ? words.nextProbe(seconds) : words.nextCall;
  return h("span", null, [words.openWhy(lane.failures), kind, next].filter(Boolean).join("; "));
}

/** The time, at every drawing and once a second. */
function useNow(): number {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return Date.now();
}

/** Whether anything may leave; without a sandbox nothing can be promised. */
export function Seal({ privacy, words }: { readonly privacy: Privacy; readonly words: Words }): ComponentChild {
  if (!privacy.sandboxed) return h("p", { class: "notice bad" }, words.notSandboxed);
  return h("p", { class: privacy.sealed ? "sealed" : "unsealed" }, privacy.sealed ? words.sealed : words.unsealed);
}

/** A column of a table: what its cells hold, row by row. */
export interface Column<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  readonly of: (row: Row) => ComponentChildren;
}

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
}

/** A table whose first column names its row. It scrolls by itself where the screen is narrow. */
export function Table<Row>({ caption, columns, rows, keyOf }: TableProps<Row>): ComponentChild {
  const numeric = (isNumber: boolean | undefined) => isNumber ? { class: "number" } : {};
  const cell = (row: Row) => ({ title, isNumber, of }: Column<Row>, index: number) =>
    h(index === 0 ? "th" : "td", { key: title, ...(index === 0 && { scope: "row" }), ...numeric(isNumber) }, of(row));
  const head = columns.map(({ title, isNumber }) => h("th", { key: title, scope: "col", ...numeric(isNumber) }, title));
  return h(
    "div",
    { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      null,
      h("caption", null, caption),
      h("thead", null, h("tr", null, head)),
      h("tbody", null, rows.map((row) => h("tr", { key: keyOf(row) }, columns.map(cell(row))))),
    ),
  );
}

/** What came of an action. */
export interface Outcome {
  readonly kind: "ok" | "bad";
  readonly text: string;
  /** Where the words are the server's, which speaks English. */
  readonly lang?: "en";
}

/** Says what came of an action; it is read aloud, and takes the focus when what had it is gone. */
export function Notice({ outcome }: { readonly outcome: Outcome | undefined }): ComponentChild {
  const { kind = "", text, lang } = outcome ?? {};
  return h("div", { class: `notice ${kind}`, role: "status", tabIndex: -1, ...(lang && { lang }) }, text);
}

/** What went wrong, in words. */
export function failureOf(error: unknown): Outcome {
  const problems = error instanceof ApiFailure ? error.problems : [];
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "bad", text: problems.length > 0 ? problems.join("\n") : message, lang: "en" };
}

/** Does something and gives what to say about it. */
export type Work = () => Promise<string>;

/** One action at a time, and what came of the last one. */
export function useAct(): { outcome: Outcome | undefined; isBusy: boolean; act: (work: Work) => Promise<boolean> } {
  const [outcome, setOutcome] = useState<Outcome>();
  const [isBusy, setBusy] = useState(false);
  const running = useRef(false);
  const act = async (work: Work): Promise<boolean> => {
    if (running.current) return false;
    running.current = true;
    setBusy(true);
    setOutcome(undefined);
    try {
      setOutcome({ kind: "ok", text: await work() });
      return true;
    } catch (error) {
      setOutcome(failureOf(error));
      return false;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { outcome, isBusy, act };
}

interface ButtonProps {
  readonly label: string;
  readonly onClick?: (event: Event) => void;
  /** It keeps the focus meanwhile, and does nothing. */
  readonly isBusy?: boolean;
  readonly type?: "button" | "submit";
  /** For a button whose label alone does not say what it is about. */
  readonly about?: string;
}

/** A button that can be told from others of the same label. */
export function Button({ label, onClick, isBusy = false, type = "button", about }: ButtonProps): ComponentChild {
  return h("button", {
    type,
    "aria-disabled": isBusy,
    ...(about && { "aria-label": `${label}: ${about}` }),
    onClick: (event: Event) => isBusy ? event.preventDefault() : onClick?.(event),
  }, label);
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly { readonly value: string; readonly text: string }[];
  readonly onChange: (value: string) => void;
}

/** A choice with its label. */
export function Select({ label, value, choices, onChange }: SelectProps): ComponentChild {
  return h(
    "label",
    { class: "field" },
    h("span", null, label),
    h(
      "select",
      { value, onChange: (event: Event) => onChange((event.currentTarget as HTMLSelectElement).value) },
      choices.map((choice) => h("option", { key: choice.value, value: choice.value }, choice.text)),
    ),
  );
}

/** With the marks of the language between the thousands. */
export function formatNumber(value: number, language: Language): string {
  return value.toLocaleString(language);
}

/** US dollars. Most answers cost so little that two digits behind the point would show nothing. */
export function formatCost(usd: number | null, language: Language, words: Words): string {
  if (usd === null) return words.unknownPrice;
  return usd.toLocaleString(language, { maximumSignificantDigits: usd < 1 ? 2 : 4 });
}

/** In the largest binary unit that leaves something before the point. */
export function formatBytes(bytes: number, language: Language): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const unit = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0);
  return `${(bytes / 1024 ** unit).toLocaleString(language, { maximumFractionDigits: 1 })} ${units[unit]}`;
}

/** @param moment ISO 8601, or epoch milliseconds */
export function formatTime(moment: string | number, language: Language): string {
  return new Date(moment).toLocaleString(language, { dateStyle: "short", timeStyle: "medium" });
}
