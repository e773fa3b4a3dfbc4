import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import { CHAT_ROLES } from "../core/types.ts";
import { planChat } from "../router/chain.ts";
import { isRefusal, providerOf } from "../router/snapshot.ts";
import { localDayStarts } from "../storage/summary.ts";
import { answers, createApi } from "./context.ts";
import { HttpError } from "./errors.ts";
import type { EventLog } from "./event_log.ts";
import type { EventStreams } from "./event_stream.ts";
import { createPrivacyReport } from "./privacy_report.ts";
import type { Program } from "./program.ts";
import { type BotState, eventsSchema, healthSchema, privacySchema, usageQuerySchema, usageSchema } from "./schemas.ts";
import { EVENT_STREAM } from "./sse.ts";

/** Where events are streamed. */
export const EVENTS_PATH = "/api/events";

const healthRoute = createRoute({
  method: "get",
  path: "/health",
  summary: "Whether it runs; 200 also when degraded",
  responses: answers(healthSchema, "the state right now"),
});

const privacyRoute = createRoute({
  method: "get",
  path: "/api/privacy",
  summary: "What may leave this machine, what did, and why",
  responses: answers(privacySchema, "the sandbox, who may be asked, and who has been"),
});

const usageRoute = createRoute({
  method: "get",
  path: "/api/token-usage",
  summary: "Tokens, cost and latency of this installation",
  request: { query: usageQuerySchema },
  responses: answers(usageSchema, "sums by what was asked for, and the latest rows"),
});

const recentRoute = createRoute({
  method: "get",
  path: "/api/events/recent",
  summary: "The last hundred events",
  responses: answers(eventsSchema, "oldest first"),
});

const eventsRoute = createRoute({
  method: "get",
  path: EVENTS_PATH,
  summary: "Events as they happen, as server-sent events; Last-Event-ID is honoured over the last hundred",
  responses: {
    200: { description: "a stream without end", content: { "text/event-stream": { schema: { type: "string" } } } },
  },
});

/** What the answers about the program are made of. */
export interface StatusDependencies {
  readonly program: Program;
  readonly version: string;
  readonly log: EventLog;
  readonly streams: EventStreams;
  /** How the Discord bot is; off by default. */
  readonly botState?: (() => BotState) | undefined;
}

/** How it is doing and what it did. */
export function createStatus(
  { program, version, log, streams, botState = () => "off" }: StatusDependencies,
): OpenAPIHono {
  const api = createApi();
  const startedAt = performance.now();
  api.openapi(healthRoute, (c) => c.json(describeHealth(program, { version, startedAt, bot: botState() }), 200));
  api.openapi(privacyRoute, async (c) => c.json(await createPrivacyReport(program), 200));
  api.openapi(usageRoute, async (c) => c.json(await describeUsage(program, c.req.valid("query")), 200));
  api.openapi(
    recentRoute,
    (c) => c.json({ events: [...log.recent] }, 200),
  );
  api.openapi(eventsRoute, (c) => {
    if (c.req.method === "HEAD") return c.body(null, 200, EVENT_STREAM); // a stream would have no reader
    return c.body(streams.open(c.req.header("last-event-id")), 200, EVENT_STREAM);
  });
  return api;
}

interface Health {
  readonly version: string;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
  readonly bot: BotState;
}

function describeHealth({ router, seal, usage }: Program, { version, startedAt, bot }: Health) {
  const { snapshot, lanes } = router;
  const providers = Object.keys(snapshot.models.providers).map((id) => {
    const usable = !isRefusal(providerOf(snapshot, id));
    return [id, { usable, breaker: lanes[id]?.breaker ?? "closed" }] as const;
  });
  const able = new Set(providers.flatMap(([id, { usable, breaker }]) => usable && breaker !== "open" ? [id] : []));
  const { models, profile } = snapshot;
  const answering = CHAT_ROLES.every((role) =>
    planChat(models, profile, role).some(({ provider }) => able.has(provider))
  );
  const storing = usage.local !== undefined;
  const sharing = usage.sharing.state;
  return {
    status: answering && storing && sharing !== "away" ? "ok" as const : "degraded" as const,
    version,
    uptime_seconds: Math.floor((performance.now() - startedAt) / 1000),
    profile: snapshot.profile.name,
    sealed: seal.sealed,
    providers: Object.fromEntries(providers),
    database: { state: storing ? "ok" as const : "waiting" as const, shared: sharing },
    bot: { state: bot },
    banner: snapshot.models.server.banner ?? null,
  };
}

async function describeUsage({ usage }: Program, { days, by, rows }: z.output<typeof usageQuerySchema>) {
  const table = usage.local;
  if (!table) throw new HttpError(503, "The usage database cannot be used at the moment", { code: "unavailable" });
  const dayStarts = localDayStarts(days);
  const since = dayStarts[0] ?? 0;
  const summary = await table.summarize({ by, dayStarts });
  return {
    ...summary,
    groups: [...summary.groups],
    rows: table.latest(rows).filter(({ at_ms }) => at_ms >= since)
      .map(({ at_ms, ...row }) => ({ ...row, at: new Date(at_ms).toISOString() })),
  };
}
