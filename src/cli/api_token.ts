import { couldBeKey, type Env } from "../config/env.ts";
import { AgentError, EXIT } from "../core/errors.ts";

/** The token of the HTTP API, if there is one. @throws AgentError (exit 78) when no header can carry it */
export function readApiToken(env: Env): string | undefined {
  const token = env.get("DJANGO_API_TOKEN");
  if (token === undefined || couldBeKey(token)) return token;
  throw new AgentError("Cannot use DJANGO_API_TOKEN: it holds characters that no header can carry", {
    exitCode: EXIT.config,
    remedy: "Use letters and digits, for example what `openssl rand -hex 32` prints.",
  });
}
