import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { quote } from "../config/words.ts";
import { answerError, HttpError } from "./errors.ts";
import { jsonBody } from "./body.ts";
import { errorSchema } from "./schemas.ts";

/** Largest body in bytes; images of a chat completion need more than anything else does. */
export const MAX_BYTES = { ordinary: 1024 * 1024, images: 16 * 1024 * 1024 };
/** Longest time a body may take to arrive. */
const MAX_BODY_MS = 10_000;

/** An app whose errors become answers in one place. */
export function createApi(): OpenAPIHono {
  const api = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error);
    },
  });
  api.onError(answerError);
  return api;
}

/** A route with a JSON body, which is read within its limits before anything looks at it. */
export function bodyOf<Schema extends z.ZodType>(schema: Schema, size: keyof typeof MAX_BYTES = "ordinary") {
  return {
    middleware: [jsonBody({ maxBytes: MAX_BYTES[size], maxMs: MAX_BODY_MS })] as MiddlewareHandler[],
    request: { body: { content: { "application/json": { schema } }, required: true } },
  };
}

/** The answers of a route: its own, and errors. */
export function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
  return {
    200: { description, content: { "application/json": { schema } } },
    default: { description: "an error", content: { "application/json": { schema: errorSchema } } },
  };
}

/** What is wrong with a request, with the place of the first problem. Repeats none of its values. */
export function invalidRequest(error: z.core.$ZodError): HttpError {
  const problems = error.issues.map((issue) => ({ path: formatPath(issue.path), message: describeIssue(issue) }));
  const [first] = problems;
  const text = problems.slice(0, 5).map(({ path, message }) => path === "" ? message : `${path}: ${message}`).join(
    "; ",
  );
  return new HttpError(422, text, { code: "invalid_value", ...(first && first.path !== "" && { param: first.path }) });
}

/** Names of fields may be as long as the body, or a value that slipped. */
function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code !== "unrecognized_keys") return issue.message;
  const { keys } = issue;
  return `Unknown here: ${keys.slice(0, 3).map(quote).join(", ")}${
    keys.length > 3 ? ` and ${keys.length - 3} more` : ""
  }`;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join("").replace(/^\./, "");
}
