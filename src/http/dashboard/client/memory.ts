/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "./api.ts";
import type { MemoryHits, MemoryStats, Taught } from "./api_types.ts";
import { Button, Card, formatTime, Notice, useAct, type ViewProps } from "./elements.ts";
import type { Language, Words } from "./words.ts";

type Hit = MemoryHits["results"][number];

/** What the agent has learned: searching it, teaching it, deleting from it. */
export function Memory({ words, language, api }: ViewProps): ComponentChild {
  const [stats, setStats] = useState<MemoryStats>();
  const count = () => void api.ask<MemoryStats>("GET", "/api/memory/stats").then(setStats, () => {});
  useEffect(count, []);
  return h(
    "div",
    { class: "stack" },
    stats && h("p", null, words.memoryStats(stats.learned_passages, stats.episodes)),
    h(Search, { words, language, api, count }),
    h(Teach, { words, api, count }),
  );
}

interface PartProps {
  readonly words: Words;
  readonly api: Api;
  /** Counts anew what there is. */
  readonly count: () => void;
}

function Search({ words, language, api, count }: PartProps & { readonly language: Language }): ComponentChild {
  const { outcome, isBusy, act } = useAct();
  const [hits, setHits] = useState<readonly Hit[]>([]);
  const [gone, setGone] = useState<ReadonlySet<number>>(new Set());
  const search = withFields(({ query = "" }) =>
    act(async () => {
      const { results } = await api.ask<MemoryHits>("POST", "/api/memory/search", { body: { query } });
      setHits(results);
      setGone(new Set());
      return words.found(results.length);
    })
  );
  const remove = (id: number) =>
    act(async () => {
      await api.ask("DELETE", `/api/memory/semantic/${id}`);
      setGone((before) => new Set([...before, id]));
      count();
      return words.removed;
    });
  return h(
    Card,
    { title: words.search },
    h(
      "form",
      { class: "line", role: "search", onSubmit: search },
      h("label", { class: "field" }, h("span", null, words.searchLabel), h("input", { name: "query", required: true })),
      h(Button, { label: words.search, type: "submit", isBusy }),
    ),
    h(Notice, { outcome }),
    h(
      "ul",
      { class: "plain" },
      hits.map((hit) =>
        h(Found, {
          key: hit.id,
          hit,
          isGone: gone.has(hit.id),
          isBusy,
          words,
          language,
          remove: () => void remove(hit.id),
        })
      ),
    ),
  );
}

interface FoundProps {
  readonly hit: Hit;
  /** It keeps its place: the next one must not come under a pointer that clicks twice. */
  readonly isGone: boolean;
  readonly isBusy: boolean;
  readonly words: Words;
  readonly language: Language;
  readonly remove: () => void;
}

function Found({ hit, isGone, isBusy, words, language, remove }: FoundProps): ComponentChild {
  const place = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (isGone) place.current?.focus(); // the button that had it is no longer there
  }, [isGone]);
  const about = [hit.source, hit.heading, formatTime(hit.at, language)].filter(Boolean).join(" · ");
  if (isGone) {
    return h(
      "li",
      { class: "hit" },
      h("p", { ref: place, tabIndex: -1, class: "facts" }, `${about}: ${words.deleted}`),
    );
  }
  return h(
    "li",
    { class: "hit" },
    h("p", { class: "facts" }, about),
    h("p", { class: "answer" }, hit.text),
    hit.kind === "learned_knowledge" &&
      h(Button, { label: words.remove, about: `${hit.source} ${hit.id}`, isBusy, onClick: remove }),
  );
}

function Teach({ words, api, count }: PartProps): ComponentChild {
  const { outcome, isBusy, act } = useAct();
  const teach = withFields(({ content = "", source = "" }, form) =>
    act(async () => {
      const body = { content, ...(source !== "" && { source }) };
      const { passages } = await api.ask<Taught>("POST", "/api/memory/semantic", { body });
      if (fieldsOf(form)["content"] === content) form.reset(); // else the next one is being written
      count();
      return words.taught(passages);
    })
  );
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
      h(Button, { label: words.teach, type: "submit", isBusy }),
    ),
    h(Notice, { outcome }),
  );
}

type Fields = Readonly<Record<string, string>>;

/** Gives what the fields of a form hold to `use` instead of sending it off. */
function withFields(use: (fields: Fields, form: HTMLFormElement) => unknown): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    use(fieldsOf(form), form);
  };
}

/** What the fields of a form hold, trimmed. */
function fieldsOf(form: HTMLFormElement): Fields {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}
