/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useRef, useState } from "preact/hooks";
import { readEvents, send } from "./api.ts";
import type { ChatAnswer } from "./api_types.ts";
import { Button, failureOf, formatCost, Notice, type Outcome, Select, type ViewProps } from "./elements.ts";
import type { Words } from "./words.ts";

interface Said {
  readonly question: string;
  readonly text: string;
  readonly answer?: ChatAnswer;
}

const MODES = [1, 2, 3] as const;
/** One conversation as long as the page is open, whichever view is shown. */
const conversation_id = crypto.randomUUID();
let kept: readonly Said[] = [];

/** A conversation with the agent. */
export function Chat({ words }: ViewProps): ComponentChild {
  const { said, outcome, leaving, say } = useConversation();
  return h(
    "div",
    { class: "stack chat" },
    h(
      "ol",
      { class: "plain talk", "aria-live": "polite", "aria-label": words.conversation },
      said.length === 0 && h("li", null, words.nothingKnown),
      said.map((each, index) => h(Exchange, { key: index, said: each, words })),
    ),
    h(Notice, { outcome }),
    h(Composer, { words, leaving, say }),
  );
}

type Say = (question: string, mode: number) => Promise<void>;

/** What is said, and what becomes of the last of it. */
function useConversation() {
  const [said, setSaid] = useState(kept);
  const [outcome, setOutcome] = useState<Outcome>();
  const [leaving, setLeaving] = useState<AbortController>();
  const update = (all: readonly Said[]) => setSaid(kept = all);
  const say: Say = async (question, mode) => {
    const before = kept;
    const controller = new AbortController();
    setLeaving(controller);
    setOutcome(undefined);
    let now: Said = { question, text: "" };
    update([...before, now]);
    try {
      const body = { message: question, conversation_id, cognitive_mode: mode, stream: true };
      const response = await send("POST", "/api/chat", { body, signal: controller.signal });
      for await (const { name, data } of readEvents(response)) {
        if (name === "error") throw new Error(messageOf(data));
        now = name === "done" ? withAnswer(now, data) : { ...now, text: now.text + String(data["text"]) };
        update([...before, now]);
      }
    } catch (error) {
      if (!controller.signal.aborted) setOutcome(failureOf(error));
    }
    setLeaving(undefined);
  };
  return { said, outcome, leaving, say };
}

function withAnswer(said: Said, data: Record<string, unknown>): Said {
  const answer = data as unknown as ChatAnswer;
  return { ...said, text: answer.content, answer };
}

interface ComposerProps {
  readonly words: Words;
  /** Stops the answer that is coming; undefined when none is. */
  readonly leaving: AbortController | undefined;
  readonly say: Say;
}

function Composer({ words, leaving, say }: ComposerProps): ComponentChild {
  const [mode, setMode] = useState("2");
  const field = useRef<HTMLTextAreaElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (text === "" || leaving || !field.current) return;
    field.current.value = "";
    void say(text, Number(mode)).then(() => field.current?.focus());
  };
  const choices = MODES.map((each) => ({ value: String(each), text: words.modes[each] }));
  return h(
    "form",
    { class: "stack", onSubmit: submit },
    h(
      "label",
      { class: "field" },
      h("span", null, words.message),
      h("textarea", { ref: field, rows: 3, onKeyDown: submitOnEnter }),
    ),
    h(
      "div",
      { class: "line" },
      h(Select, { label: words.mode, value: mode, choices, onChange: setMode }),
      leaving
        ? h(Button, { label: words.stop, onClick: () => leaving.abort() })
        : h(Button, { label: words.say, type: "submit" }),
    ),
  );
}

/** Enter sends; with Shift it begins a line. */
function submitOnEnter(event: KeyboardEvent): void {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  (event.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
}

function Exchange(
  { said: { question, text, answer }, words }: { readonly said: Said; readonly words: Words },
): ComponentChild {
  const facts = answer && [
    answer.provider === null ? words.modes[3] : `${answer.provider}/${answer.model}`,
    `${formatCost(answer.cost_usd, words)} USD`,
    `${answer.latency_ms} ms`,
  ];
  const sources = [...new Set(answer?.knowledge_sources.map(({ source }) => source) ?? [])];
  return h(
    "li",
    null,
    h("p", { class: "question" }, h("b", null, `${words.you}: `), question),
    h("p", { class: "answer" }, answer?.silent ? h("em", null, words.silent) : text),
    facts && h("p", { class: "facts" }, facts.join(" · ")),
    sources.length > 0 && h("p", { class: "facts" }, `${words.sources}: ${sources.join(", ")}`),
  );
}

function messageOf(data: Record<string, unknown>): string {
  const error = data["error"] as { readonly message?: unknown } | undefined;
  return typeof error?.message === "string" ? error.message : "";
}
