/// <reference lib="dom" />
/** Pieces that several views are made of. */
import { type ComponentChild, type ComponentChildren, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Privacy, RouterStatus } from "./api_types.ts";
import type { Language, Words } from "./words.ts";

/** What every view is given. */
export interface ViewProps {
  readonly words: Words;
  readonly language: Language;
}

interface CardProps {
  readonly title: string;
  /** Takes the whole width where others stand beside each other. */
  readonly isWide?: boolean;
  readonly children?: ComponentChildren;
}

export function Card({ title, isWide = false, children }: CardProps): ComponentChild {
  return h("section", { class: isWide ? "card wide" : "card" }, h("h2", null, title), children);
}

export type LaneState = "closed" | "open" | "half_open" | "unusable";
type Lane = RouterStatus["providers"][string];

export function stateOf({ usable, breaker }: Lane): LaneState {
  return usable ? breaker : "unusable";
}

/** A light with its word: colour alone says nothing to many people. */
export function Led({ state, words }: { readonly state: LaneState; readonly words: Words }): ComponentChild {
  return h("span", { class: `led led-${state}`, "data-state": state }, h("i", { "aria-hidden": "true" }), words[state]);
}

/** Why a light is as it is, with the seconds until the next try counted down. */
export function LaneReason({ lane, words }: { readonly lane: Lane; readonly words: Words }): ComponentChild {
  const now = useNow();
  const state = stateOf(lane);
  if (state === "unusable") return h("span", null, lane.reason);
  if (state === "closed") return h("span", null, words.closedWhy);
  if (state === "half_open") return h("span", null, words.halfOpenWhy);
  const seconds = lane.retry_at === null ? 0 : Math.max(0, Math.ceil((Date.parse(lane.retry_at) - now) / 1000));
  return h("span", null, `${words.openWhy(lane.failures)}; ${words.nextProbe(seconds)}`);
}

/** The time, once a second. */
function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

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
  const cell = (row: Row) => ({ title, isNumber, of }: Column<Row>, index: number) =>
    h(index === 0 ? "th" : "td", {
      key: title,
      ...(index === 0 && { scope: "row" }),
      ...(isNumber && { class: "number" }),
    }, of(row));
  return h(
    "div",
    { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      null,
      h("caption", null, caption),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map(({ title, isNumber }) =>
            h("th", { key: title, scope: "col", ...(isNumber && { class: "number" }) }, title)
          ),
        ),
      ),
      h("tbody", null, rows.map((row) => h("tr", { key: keyOf(row) }, columns.map(cell(row))))),
    ),
  );
}

/** What came of an action. It is read aloud. */
export interface Outcome {
  readonly kind: "ok" | "bad";
  readonly text: string;
}

export function Notice({ outcome }: { readonly outcome: Outcome | undefined }): ComponentChild {
  return h("div", { class: `notice ${outcome?.kind ?? ""}`, role: "status" }, outcome?.text);
}

interface ButtonProps {
  readonly label: string;
  readonly onClick?: () => void;
  readonly isBusy?: boolean;
  readonly type?: "button" | "submit";
  /** For a button whose label alone does not say what it is about. */
  readonly about?: string;
}

export function Button({ label, onClick, isBusy = false, type = "button", about }: ButtonProps): ComponentChild {
  return h("button", { type, onClick, disabled: isBusy, ...(about && { "aria-label": `${label}: ${about}` }) }, label);
}

export interface Choice {
  readonly value: string;
  readonly text: string;
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly Choice[];
  readonly onChange: (value: string) => void;
}

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

/** Whether anything may leave; without a sandbox nothing can be promised. */
export function Seal({ privacy, words }: { readonly privacy: Privacy; readonly words: Words }): ComponentChild {
  if (!privacy.sandboxed) return h("p", { class: "notice bad" }, words.notSandboxed);
  return h("p", { class: privacy.sealed ? "sealed" : "unsealed" }, privacy.sealed ? words.sealed : words.unsealed);
}

export function formatNumber(value: number, language: Language): string {
  return value.toLocaleString(language);
}

/** Costs are small: four digits behind the point. */
export function formatCost(value: number | null, words: Words): string {
  return value === null ? words.unknownPrice : value.toFixed(4);
}

export function formatBytes(bytes: number, language: Language): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size.toLocaleString(language, { maximumFractionDigits: 1 })} ${units[unit]}`;
}

export function formatTime(iso: string, language: Language): string {
  return new Date(iso).toLocaleString(language, { dateStyle: "short", timeStyle: "medium" });
}

/** What went wrong, in words. */
export function failureOf(error: unknown): Outcome {
  return { kind: "bad", text: error instanceof Error ? error.message : String(error) };
}
