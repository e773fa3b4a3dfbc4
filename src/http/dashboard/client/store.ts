/// <reference lib="dom" />
/** What the page knows of the program: asked for now and then, and at once when an event tells that it has changed. */
import { useEffect, useState } from "preact/hooks";
import { ApiFailure, ask, readEvents, send } from "./api.ts";
import type { Health, LoggedEvent, Privacy, RouterStatus, TokenUsage } from "./api_types.ts";

export interface Known {
  readonly health: Health | undefined;
  readonly router: RouterStatus | undefined;
  readonly privacy: Privacy | undefined;
  /** The latest first. */
  readonly events: readonly LoggedEvent[];
  /** Whether events come in. */
  readonly isLive: boolean;
  /** Who answered last, as provider/model. */
  readonly lastAnswer: string | undefined;
  /** What the agent does, by its last event. */
  readonly agent: "idle" | "thinking" | "acting" | "error";
}

let known: Known = {
  health: undefined,
  router: undefined,
  privacy: undefined,
  events: [],
  isLive: false,
  lastAnswer: undefined,
  agent: "idle",
};
const listeners = new Set<() => void>();

/** More events than this nobody scrolls through. */
const MOST_EVENTS = 100;
const REFRESH_MS = 5000;
/** Pause before the next try when the events have ended. */
const RETRY_MS = 1000;
const SETTLE_MS = 100;
/** Names of events after which there is something new to ask for. */
const CHANGES = /^(router|config|security|system|chat)\./;

function change(part: Partial<Known>): void {
  known = { ...known, ...part };
  for (const listener of listeners) listener();
}

/** What is known, anew whenever it changes. */
export function useKnown(): Known {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return known;
}

/** Asks for everything once. What cannot be had stays as it was. */
export async function refresh(): Promise<void> {
  const look = <T>(path: string) => ask<T>("GET", path).catch(() => undefined);
  const [health, router, privacy, usage] = await Promise.all([
    look<Health>("/health"),
    look<RouterStatus>("/api/router/status"),
    look<Privacy>("/api/privacy"),
    look<TokenUsage>("/api/token-usage?days=1&rows=20"),
  ]);
  const last = usage?.rows.find(({ outcome, role }) => outcome === "ok" && role !== "embeddings");
  change({
    ...(health && { health }),
    ...(router && { router }),
    ...(privacy && { privacy }),
    ...(last && { lastAnswer: `${last.provider}/${last.model}` }),
  });
}

/** Keeps everything up to date for as long as the page is open. */
export function keepKnowing(): void {
  void refresh();
  setInterval(() => document.hidden || void refresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || void refresh());
  void follow();
}

/** Follows the events, over and over: the program may be started anew. */
async function follow(): Promise<never> {
  for (let lastId: string | undefined;;) {
    try {
      const headers = lastId === undefined ? {} : { "last-event-id": lastId };
      if (lastId === undefined) await recall();
      const response = await send("GET", "/api/events", { headers });
      change({ isLive: true });
      void refresh();
      for await (const { data } of readEvents(response)) {
        const event = data as unknown as LoggedEvent;
        lastId = event.id;
        take(event);
      }
    } catch (error) {
      if (!(error instanceof ApiFailure || error instanceof TypeError)) reportError(error);
    }
    change({ isLive: false });
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function recall(): Promise<void> {
  const { events } = await ask<{ events: LoggedEvent[] }>("GET", "/api/events/recent");
  change({ events: events.toReversed().slice(0, MOST_EVENTS) });
}

let arrived: LoggedEvent[] = [];
let settling: ReturnType<typeof setTimeout> | undefined;

/** Many events at once are shown together. */
function take(event: LoggedEvent): void {
  arrived.push(event);
  settling ??= setTimeout(show, SETTLE_MS);
}

function show(): void {
  settling = undefined;
  const fresh = arrived.reverse();
  arrived = [];
  const states = fresh.map(({ name }) => /^agent_state\.(idle|thinking|acting|error)$/.exec(name)?.[1]);
  const agent = states.find((state) => state !== undefined) as Known["agent"] | undefined;
  change({ events: [...fresh, ...known.events].slice(0, MOST_EVENTS), ...(agent && { agent }) });
  if (fresh.some(({ name }) => CHANGES.test(name))) void refresh();
}
