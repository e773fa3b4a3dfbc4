import { OpenAPIHono } from "@hono/zod-openapi";
import { describeFault } from "../core/errors.ts";
import { createApi } from "./context.ts";
import { HttpError } from "./errors.ts";
import type { EventLog } from "./event_log.ts";
import type { EventStreams } from "./event_stream.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { createManager } from "./manager.ts";
import type { Metrics } from "./metrics.ts";
import { createOpenAi } from "./openai.ts";
import type { Program } from "./program.ts";
import { createStatus } from "./status.ts";

/** What the API is made of. */
export interface AppDependencies {
  readonly program: Program;
  readonly version: string;
  readonly log: EventLog;
  readonly streams: EventStreams;
  readonly metrics: Metrics;
}

/** The whole API; takes requests without a socket too. */
export function createApp(
  { program, version, log, streams, metrics }: AppDependencies,
  guard: GuardOptions,
): OpenAPIHono {
  const app = createApi();
  app.use(async (c, next) => {
    await next();
    if (c.error && c.res.status === 500) tellFault(program.events, c.error);
  });
  app.use(createGuard(guard));
  app.route("/", createOpenAi(program.router));
  app.route("/", createManager(program));
  app.route("/", createStatus({ program, version, log, streams }));
  app.get("/metrics", async (c) => c.body(await metrics.render(), 200, { "content-type": metrics.contentType }));
  app.get("/", (c) => c.text(`django-agent ${version}\n\nThe API is described at /openapi.json.\n`));
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "django-agent", version, description: "A private agent on your own machine." },
  });
  app.notFound((c) => {
    throw notFound(app, c.req.method, c.req.path);
  });
  return app;
}

/** Tells the people of a fault that a request has run into; the answer to it shows the name only. */
export function tellFault(events: Program["events"], error: unknown): void {
  events.emit("system.warning", {
    code: "internal_error",
    message: `A request ran into an internal error: ${describeFault(error)}`,
    remedy: "This is a fault of the program; please report it.",
  });
}

/** A path that exists for another method says so. */
function notFound(app: OpenAPIHono, method: string, path: string): HttpError {
  const methods = [
    ...new Set(
      app.routes.filter((route) => route.method !== "ALL" && route.path === path).map((route) => route.method),
    ),
  ];
  if (methods.length === 0) return new HttpError(404, "There is nothing at this path", { code: "not_found" });
  return new HttpError(405, `${method} is not possible here`, {
    code: "method_not_allowed",
    headers: { allow: methods.join(", ") },
  });
}
