/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.ts";
import type { MemoryHits, MemoryStats, Taught } from "./api_types.ts";
import { Button, Card, failureOf, formatTime, Notice, type Outcome, type ViewProps } from "./elements.ts";
import type { Language, Words } from "./words.ts";

type Hit = MemoryHits["results"][number];

/** What the agent has learned: searching it, teaching it, deleting from it. */
export function Memory({ words, language }: ViewProps): ComponentChild {
  const [stats, setStats] = useState<MemoryStats>();
  const [outcome, setOutcome] = useState<Outcome>();
  const count = () => ask<MemoryStats>("GET", "/api/memory/stats").then(setStats);
  useEffect(() => void count().catch((error) => setOutcome(failureOf(error))), []);
  /** Does something, and says what came of it. */
  const act: Act = async (work) => {
    setOutcome(undefined);
    try {
      setOutcome({ kind: "ok", text: await work() });
      await count();
    } catch (error) {
      setOutcome(failureOf(error));
    }
  };
  return h(
    "div",
    { class: "stack" },
    stats && h("p", null, words.memoryStats(stats.learned_passages, stats.episodes)),
    h(Notice, { outcome }),
    h(Search, { words, language, act }),
    h(Teach, { words, act }),
  );
}

type Act = (work: () => Promise<string>) => Promise<void>;

interface PartProps {
  readonly words: Words;
  readonly act: Act;
}

function Search({ words, language, act }: PartProps & { readonly language: Language }): ComponentChild {
  const [hits, setHits] = useState<readonly Hit[]>([]);
  const search = (query: string) =>
    act(async () => {
      const { results } = await ask<MemoryHits>("POST", "/api/memory/search", { body: { query } });
      setHits(results);
      return words.found(results.length);
    });
  const remove = (id: number) =>
    act(async () => {
      await ask("DELETE", `/api/memory/semantic/${id}`);
      setHits((shown) => shown.filter((hit) => hit.id !== id));
      return words.removed;
    });
  return h(
    Card,
    { title: words.search },
    h(
      "form",
      { class: "line", role: "search", onSubmit: withFields(({ query = "" }) => void search(query)) },
      h("label", { class: "field" }, h("span", null, words.searchLabel), h("input", { name: "query", required: true })),
      h(Button, { label: words.search, type: "submit" }),
    ),
    h(
      "ul",
      { class: "plain" },
      hits.map((hit) =>
        h(
          "li",
          { key: hit.id, class: "hit" },
          h(
            "p",
            { class: "facts" },
            [hit.source, hit.heading, formatTime(hit.at, language)].filter(Boolean).join(" · "),
          ),
          h("p", { class: "answer" }, hit.text),
          hit.kind === "learned_knowledge" &&
            h(Button, { label: words.remove, about: `${hit.source} ${hit.id}`, onClick: () => void remove(hit.id) }),
        )
      ),
    ),
  );
}

function Teach({ words, act }: PartProps): ComponentChild {
  const teach = withFields(async ({ content = "", source = "" }, form) => {
    await act(async () => {
      const body = { content, ...(source !== "" && { source }) };
      const { passages } = await ask<Taught>("POST", "/api/memory/semantic", { body });
      form.reset();
      return words.taught(passages);
    });
  });
  const field = (label: string, control: ComponentChild) =>
    h("label", { class: "field" }, h("span", null, label), control);
  return h(
    Card,
    { title: words.teach },
    h(
      "form",
      { class: "stack", onSubmit: teach },
      field(words.teachText, h("textarea", { name: "content", rows: 4, required: true })),
      field(words.teachSource, h("input", { name: "source" })),
      h(Button, { label: words.teach, type: "submit" }),
    ),
  );
}

/** Gives what the fields of a form hold, trimmed, to `use` instead of sending it off. */
function withFields(
  use: (fields: Readonly<Record<string, string>>, form: HTMLFormElement) => unknown,
): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const entries = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
    use(Object.fromEntries(entries), form);
  };
}
