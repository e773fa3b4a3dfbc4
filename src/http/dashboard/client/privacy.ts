/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import type { Privacy as Report } from "./api_types.ts";
import { formatBytes, formatTime, Seal, Table, type ViewProps } from "./elements.ts";
import { useValue } from "./observable.ts";

/** What may leave this machine, and what did. */
export function Privacy({ words, language, knowledge }: ViewProps): ComponentChild {
  const { privacy } = useValue(knowledge.known);
  if (!privacy) return h("p", null, words.loading);
  return h(
    "div",
    { class: "stack" },
    h(Seal, { privacy, words }),
    privacy.egress.length === 0 ? h("p", null, words.noEgress) : h(Table<Report["egress"][number]>, {
      caption: words.egress,
      rows: privacy.egress,
      keyOf: ({ origin }) => origin,
      columns: [
        { title: words.origin, of: ({ origin }) => origin },
        { title: words.requests, isNumber: true, of: ({ requests }) => requests },
        { title: words.sent, isNumber: true, of: ({ sent_bytes }) => formatBytes(sent_bytes, language) },
        { title: words.received, isNumber: true, of: ({ received_bytes }) => formatBytes(received_bytes, language) },
        { title: words.last, of: ({ last_at }) => formatTime(last_at, language) },
      ],
    }),
    h(Table<Report["providers"][number]>, {
      caption: words.providers,
      rows: privacy.providers,
      keyOf: ({ provider }) => provider,
      columns: [
        { title: words.provider, of: ({ provider }) => provider },
        { title: words.origin, of: ({ origin }) => origin ?? "–" },
        { title: words.mayBeAsked, of: ({ may_be_asked }) => may_be_asked ? words.yes : words.no },
        { title: words.why, of: ({ why }) => h("span", { lang: "en" }, why) },
      ],
    }),
    h(Table<Report["sandbox"][number]>, {
      caption: words.sandbox,
      rows: privacy.sandbox,
      keyOf: ({ host }) => host,
      columns: [
        { title: words.host, of: ({ host }) => host },
        { title: words.sandbox, of: ({ state }) => words[state] },
      ],
    }),
    h("p", null, words.hostsAdded),
  );
}
