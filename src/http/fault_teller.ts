import type { MiddlewareHandler } from "hono";
import { describeFault } from "../core/errors.ts";
import type { EventBus } from "../core/events.ts";

/** Tells the people of every fault that a request runs into. */
export function createFaultTeller(events: EventBus): MiddlewareHandler {
  return async (c, next) => {
    await next();
    // Whoever hangs up ends what was done for them with an error that nobody hears of.
    if (c.error && c.res.status === 500 && !c.req.raw.signal.aborted) tellFault(events, c.error);
  };
}

/** Tells the people of a fault that a request has run into; the answer to it shows the name only. */
export function tellFault(events: EventBus, error: unknown): void {
  events.emit("system.warning", {
    code: "internal_error",
    message: `A request ran into an internal error: ${describeFault(error)}`,
    remedy: "This is a fault of the program; please report it.",
  });
}
