/** Loaded on demand, together with the bot library: see `rest_requests.ts`. */
import { createRestManager, type RestManager } from "@discordeno/bot";

export interface RestManagerOptions {
  readonly token: string;
  /** Base of the REST API, without a slash at its end; undefined for Discord's own. */
  readonly apiUrl: string | undefined;
  /** `DiscordBot (url, version)`, as Discord wants it. */
  readonly userAgent: string;
}

/** The part of Discordeno's manager that is used: it knows the routes, and makes bodies and headers. */
export type RestComposer = Pick<RestManager, "baseUrl" | "version" | "routes" | "createRequestBody" | "invalidBucket">;

/** What it logs quotes requests: nothing of it is written anywhere. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

export function createRestComposer({ token, apiUrl, userAgent }: RestManagerOptions): RestComposer {
  const manager = createRestManager({
    token,
    applicationId: "1", // no route that is used has it, and taken from the token it would have to be well formed
    logger: SILENT,
    ...(apiUrl !== undefined && { proxy: { baseUrl: apiUrl } }),
  });
  manager.createBaseHeaders = () => ({ "user-agent": userAgent });
  return manager;
}
