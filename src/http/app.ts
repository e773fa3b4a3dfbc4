import { OpenAPIHono } from "@hono/zod-openapi";
import { createChat } from "./chat.ts";
import { createApi } from "./context.ts";
import { createDashboard } from "./dashboard/dashboard.ts";
import { HttpError } from "./errors.ts";
import type { EventLog } from "./event_log.ts";
import type { EventStreams } from "./event_stream.ts";
import { createFaultTeller } from "./fault_teller.ts";
import { createGuard, type GuardOptions, type OnRefused } from "./guard.ts";
import { createManager } from "./manager.ts";
import { createRouterStatus } from "./router_status.ts";
import { createMemory } from "./memory.ts";
import type { Metrics } from "./metrics.ts";
import { createOpenAi } from "./openai.ts";
import type { Program } from "./program.ts";
import type { BotState } from "./schemas.ts";
import { createStatus } from "./status.ts";

/** What the API is made of. */
export interface AppDependencies {
  readonly program: Program;
  readonly version: string;
  readonly log: EventLog;
  readonly streams: EventStreams;
  readonly metrics: Metrics;
  readonly botState?: (() => BotState) | undefined;
}

/** The whole API; takes requests without a socket too. */
export function createApp(
  { program, version, log, streams, metrics, botState }: AppDependencies,
  guard: GuardOptions,
): OpenAPIHono {
  const app = createApi();
  app.use(createFaultTeller(program.events));
  app.use(createGuard(guard, tellRefusals(program.events)));
  app.route("/", createOpenAi(program.router));
  app.route("/", createChat(program.chat));
  app.route("/", createMemory(program.memory));
  app.route("/", createRouterStatus(program));
  app.route("/", createManager(program));
  app.route("/", createStatus({ program, version, log, streams, botState }));
  app.get("/metrics", async (c) => c.body(await metrics.render(), 200, { "content-type": metrics.contentType }));
  app.route("/", createDashboard());
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "django-agent", version, description: "A private agent on your own machine." },
    security: [{}, { token: [] }], // needed where DJANGO_API_TOKEN is set
  });
  app.notFound((c) => {
    throw notFound(app, c.req.method, c.req.path);
  });
  return app;
}

/** How often the same refusal is told, in milliseconds; whoever knocks all day must not fill the log. */
const REFUSALS_MS = 60_000;

function tellRefusals(events: Program["events"]): OnRefused {
  const told = new Map<string, number>();
  return (reason) => {
    const now = performance.now();
    if (now - (told.get(reason) ?? -Infinity) < REFUSALS_MS) return;
    told.set(reason, now);
    events.emit("security.request_refused", { reason });
  };
}

/** A path that exists for another method says so. */
function notFound(app: OpenAPIHono, method: string, path: string): HttpError {
  const methods = [
    ...new Set(
      app.routes.filter((route) => route.method !== "ALL" && leadsTo(route.path, path)).map((route) => route.method),
    ),
  ];
  if (methods.length === 0) return new HttpError(404, "There is nothing at this path", { code: "not_found" });
  return new HttpError(405, `${method} is not possible here`, {
    code: "method_not_allowed",
    headers: { allow: methods.join(", ") },
  });
}

/** Whether a path is one of a route, whose parts that begin with a colon may be anything. */
function leadsTo(route: string, path: string): boolean {
  const [parts, given] = [route.split("/"), path.split("/")];
  return parts.length === given.length &&
    parts.every((part, at) => part.startsWith(":") ? given[at] !== "" : part === given[at]);
}
