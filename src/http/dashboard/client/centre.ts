/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import type { LoggedEvent } from "./api_types.ts";
import { Card, formatTime, LaneReason, Led, Seal, type ViewProps } from "./elements.ts";
import type { Known } from "./knowledge.ts";
import { useValue } from "./observable.ts";
import type { Language, Words } from "./words.ts";

/** The command centre: at a glance who serves, what leaves, what happens. */
export function Centre({ words, language, knowledge }: ViewProps): ComponentChild {
  const known = useValue(knowledge.known);
  return h(
    "div",
    { class: "grid" },
    h(Providers, { known, words }),
    h(Chain, { known, words }),
    h(State, { known, words }),
    h(Openness, { known, words }),
    h(Activity, { events: known.events, words, language }),
  );
}

interface PartProps {
  readonly known: Known;
  readonly words: Words;
}

function Providers({ known: { router }, words }: PartProps): ComponentChild {
  const lanes = Object.entries(router?.providers ?? {});
  return h(
    Card,
    { title: words.providers },
    h(
      "ul",
      { class: "plain" },
      lanes.map(([id, lane]) =>
        h(
          "li",
          { key: id, class: "row", "data-provider": id },
          h("strong", null, id),
          h(Led, { lane, words }),
          h(LaneReason, { lane, words }),
          lane.usable && h("span", { class: "facts" }, words.traffic(lane)),
        )
      ),
    ),
  );
}

function Chain({ known: { router, lastAnswer }, words }: PartProps): ComponentChild {
  const chain = router?.chain ?? [];
  const isElsewhere = lastAnswer !== undefined && !chain.includes(lastAnswer);
  return h(
    Card,
    { title: words.chain },
    h(
      "ol",
      { class: "chain" },
      chain.map((ref) =>
        h(
          "li",
          { key: ref, class: ref === lastAnswer ? "last" : "" },
          ref,
          ref === lastAnswer && h("em", null, words.answeredLast),
        )
      ),
    ),
    isElsewhere && h("p", { class: "facts" }, `${words.answeredLast}: ${lastAnswer}`),
  );
}

function State({ known: { router, health, agent }, words }: PartProps): ComponentChild {
  const lanes = Object.values(router?.providers ?? {});
  const sum = (field: "in_flight" | "waiting") => lanes.reduce((total, lane) => total + lane[field], 0);
  const rows: readonly (readonly [string, string])[] = [
    [words.profile, router?.profile ?? "…"],
    [words.agent, words.agentStates[agent]],
    [words.queue, `${sum("in_flight")} ${words.inFlight}, ${sum("waiting")} ${words.waiting}`],
    [words.bot, health ? words.botStates[health.bot.state] : "…"],
    [words.database, health ? words.databaseStates[health.database.state] : "…"],
  ];
  return h(
    Card,
    { title: words.title },
    h("dl", null, rows.flatMap(([term, text]) => [h("dt", { key: term }, term), h("dd", { key: `${term}=` }, text)])),
  );
}

function Openness({ known: { privacy }, words }: PartProps): ComponentChild {
  const open = privacy?.sandbox?.filter(({ host, state }) => state === "allowed" && !isHere(host)) ?? [];
  const hosts = open.map(({ host }) => host).join(", ");
  return h(
    Card,
    { title: words.privacy },
    privacy && h(Seal, { privacy, words }),
    privacy && h("p", null, open.length === 0 ? words.nothingBeyond : words.openTo(hosts)),
  );
}

function isHere(host: string): boolean {
  return /^(localhost|127\.|\[::1\]|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
}

interface ActivityProps {
  readonly events: readonly LoggedEvent[];
  readonly words: Words;
  readonly language: Language;
}

function Activity({ events, words, language }: ActivityProps): ComponentChild {
  const feed = events.map((event) =>
    h(
      "li",
      { key: event.id },
      h("time", { dateTime: event.at }, formatTime(event.at, language)),
      h("b", { lang: "en" }, event.name),
      h("span", { lang: "en" }, describe(event.data)),
    )
  );
  return h(
    Card,
    { title: words.activity, isWide: true },
    events.length === 0
      ? h("p", null, words.noActivity)
      : h("ol", { class: "feed", tabIndex: 0, "aria-label": words.activity }, feed),
  );
}

/** What an event carries, in short. */
function describe(data: unknown): string {
  return Object.entries(Object(data)).flatMap(([name, value]) => {
    if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) return [];
    return [`${name}: ${Array.isArray(value) ? value.join("; ") : String(value)}`];
  }).join(", ");
}
