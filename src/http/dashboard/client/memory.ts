/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "./api.ts";
import type { MemoryHits, MemoryStats, Taught } from "./api_types.ts";
import { Button, Card, failureOf, formatTime, Notice, type Outcome, useAct, type ViewProps } from "./elements.ts";
import { useValue } from "./observable.ts";
import type { Language, Words } from "./words.ts";

type Hit = MemoryHits["results"][number];

/** What the agent has learned: searching it, teaching it, deleting from it. */
export function Memory({ words, language, api, lesson }: ViewProps): ComponentChild {
  const [stats, setStats] = useState<MemoryStats>();
  const count = () => void api.ask<MemoryStats>("GET", "/api/memory/stats").then(setStats, () => {});
  useEffect(count, []);
  return h(
    "div",
    { class: "stack" },
    stats && h("p", null, words.memoryStats(stats.learned_passages ?? 0, stats.episodes ?? 0)),
    h(Search, { words, language, api, count }),
    h(Teach, { words, api, count, lesson }),
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
  const [found, setFound] = useState<Outcome>();
  const leaving = useRef(new AbortController());
  /** The last one counts, however long the one before takes. */
  const search = withFields(async ({ query = "" }) => {
    leaving.current.abort();
    leaving.current = new AbortController();
    const { signal } = leaving.current;
    try {
      const { results } = await api.ask<MemoryHits>("POST", "/api/memory/search", { body: { query }, signal });
      setHits(results);
      setGone(new Set());
      setFound({ kind: "ok", text: words.found(results.length) });
    } catch (error) {
      if (!signal.aborted) setFound(failureOf(error));
    }
  });
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
      h(Button, { label: words.search, type: "submit" }),
    ),
    h(Notice, { outcome: found }),
    h(Notice, { outcome }),
    h(
      "ul",
      { class: "plain" },
      hits.map((hit) => {
        const props = { hit, isGone: gone.has(hit.id), isBusy, words, language, remove: () => void remove(hit.id) };
        return h(Found, { key: hit.id, ...props });
      }),
    ),
  );
}

interface FoundProps {
  readonly hit: Hit;
  /** It keeps its place and its size: the next one must not come under a pointer that clicks twice. */
  readonly isGone: boolean;
  readonly isBusy: boolean;
  readonly words: Words;
  readonly language: Language;
  readonly remove: () => void;
}

function Found({ hit, isGone, isBusy, words, language, remove }: FoundProps): ComponentChild {
  const label = isGone ? words.deleted : words.remove;
  return h(
    "li",
    { class: isGone ? "hit gone" : "hit" },
    h("p", { class: "facts" }, [hit.source, hit.heading, formatTime(hit.at, language)].filter(Boolean).join(" · ")),
    h("p", { class: "answer" }, hit.text),
    hit.kind === "learned_knowledge" &&
      h(Button, { label, about: `${hit.source} ${hit.id}`, isBusy: isGone || isBusy, onClick: remove }),
  );
}

/** What is being written is kept outside the view, which may be left and come back. */
function Teach({ words, api, count, lesson }: PartProps & Pick<ViewProps, "lesson">): ComponentChild {
  const { outcome, isBusy, act } = useAct();
  const { content, source } = useValue(lesson);
  const teach = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      const body = { content: content.trim(), ...(source.trim() !== "" && { source: source.trim() }) };
      const { passages } = await api.ask<Taught>("POST", "/api/memory/semantic", { body });
      const now = lesson.value; // else the next one is being written
      if (now.content === content && now.source === source) lesson.set({ content: "", source: "" });
      count();
      return words.taught(passages);
    });
  };
  const field = (label: string, control: ComponentChild) =>
    h("label", { class: "field" }, h("span", null, label), control);
  const write = (part: "content" | "source") => (event: Event) =>
    lesson.set({ ...lesson.value, [part]: (event.currentTarget as HTMLInputElement).value });
  return h(
    Card,
    { title: words.teach },
    h(
      "form",
      { class: "stack", onSubmit: teach },
      field(words.teachText, h("textarea", { value: content, onInput: write("content"), rows: 4, required: true })),
      field(words.teachSource, h("input", { value: source, onInput: write("source") })),
      h(Button, { label: words.teach, type: "submit", isBusy }),
    ),
    h(Notice, { outcome }),
  );
}

/** Gives what the fields of a form hold, trimmed, to `use` instead of sending it off. */
function withFields(use: (fields: Readonly<Record<string, string>>) => unknown): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    const fields = [...new FormData(event.currentTarget as HTMLFormElement)];
    use(Object.fromEntries(fields.map(([name, value]) => [name, String(value).trim()])));
  };
}
