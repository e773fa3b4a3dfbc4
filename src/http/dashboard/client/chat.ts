/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useRef } from "preact/hooks";
import type { Conversation, Said } from "./conversation.ts";
import { Button, failureOf, formatCost, Select, type ViewProps } from "./elements.ts";
import { useValue } from "./observable.ts";
import type { Language, Words } from "./words.ts";

const MODES = [1, 2, 3] as const;

/** A conversation with the agent. */
export function Chat({ words, language, conversation }: ViewProps): ComponentChild {
  const { said, isBusy } = useValue(conversation.talk);
  const last = isBusy ? undefined : said.at(-1);
  const end = last?.answer ? words.answerIsThere : typeof last?.ended === "object" ? words.wasNotAnswered : "";
  return h(
    "div",
    { class: "stack" },
    h(
      "ol",
      { class: "plain", "aria-label": words.conversation },
      said.length === 0 && h("li", null, words.nothingSaid),
      said.map((each, index) => h(Exchange, { key: index, said: each, words, language })),
    ),
    h("p", { class: "unseen", role: "status" }, end),
    h(Composer, { words, conversation }),
  );
}

interface ComposerProps {
  readonly words: Words;
  readonly conversation: Conversation;
}

function Composer({ words, conversation }: ComposerProps): ComponentChild {
  const { draft, isBusy, mode } = useValue(conversation.talk);
  const form = useRef<HTMLFormElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    await conversation.say();
    // Whoever has gone elsewhere meanwhile is not called back.
    if (form.current?.contains(document.activeElement)) form.current.querySelector("textarea")?.focus();
  };
  const choices = MODES.map((each) => ({ value: String(each), text: words.modes[each] }));
  return h(
    "form",
    { ref: form, class: "stack", onSubmit: (event: Event) => void submit(event) },
    h(
      "label",
      { class: "field" },
      h("span", null, words.message),
      h("textarea", {
        rows: 3,
        value: draft,
        onInput: (event: Event) => conversation.write((event.currentTarget as HTMLTextAreaElement).value),
        onKeyDown: submitOnEnter,
      }),
    ),
    h(
      "div",
      { class: "line" },
      h(Select, { label: words.mode, value: mode, choices, onChange: (value) => conversation.choose(value) }),
      // Both are always there: one that changed under the pointer would be clicked by who clicks twice.
      h(Button, { label: words.say, type: "submit", isBusy }),
      h(Button, { label: words.stop, isBusy: !isBusy, onClick: () => conversation.stop() }),
    ),
  );
}

/** Enter sends; with Shift it begins a line. */
function submitOnEnter(event: KeyboardEvent): void {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  (event.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
}

interface ExchangeProps {
  readonly said: Said;
  readonly words: Words;
  readonly language: Language;
}

function Exchange({ said: { question, text, answer, ended }, words, language }: ExchangeProps): ComponentChild {
  const facts = answer && [
    answer.provider === null ? words.modes[3] : `${answer.provider}/${answer.model}`,
    `${formatCost(answer.cost_usd, language, words)} USD`,
    `${answer.latency_ms} ms`,
  ];
  const sources = [...new Set(answer?.knowledge_sources.map(({ source }) => source) ?? [])];
  return h(
    "li",
    null,
    h("p", { class: "question" }, h("b", null, `${words.you}: `), question),
    h("p", { class: "answer" }, answer?.silent ? h("em", null, words.silent) : text),
    ended === "stopped" && h("p", { class: "facts" }, words.wasStopped),
    typeof ended === "object" &&
      h("p", { class: "notice bad", lang: "en" }, failureOf(ended.failure).text),
    facts && h("p", { class: "facts" }, facts.join(" · ")),
    sources.length > 0 && h("p", { class: "facts" }, `${words.sources}: ${sources.join(", ")}`),
  );
}
