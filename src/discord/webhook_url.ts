import { isLoopbackOrPrivate } from "../core/address.ts";

/** Where a webhook is reached. Its token is part of `path`, and of nothing else. */
export interface WebhookAddress {
  /** `https://discord.com` */
  readonly origin: string;
  /** Path of the webhook, from the slash on, its token included: never for a message or a log. */
  readonly path: string;
  /** The whole address with `***` in place of the token. */
  readonly shown: string;
  /** The thread that the address itself names. */
  readonly threadId: string | undefined;
}

/** Why an address cannot be used; repeats nothing of it but scheme and host. */
export interface AddressProblem {
  readonly problem: string;
  readonly remedy: string;
}

export interface WebhookUrlOptions {
  /** Address of another server that speaks Discord's API (`DISCORD_API_URL`): webhooks of its origin are taken. */
  readonly apiUrl?: string | undefined;
}

/** The one host of Discord's API; the others are the same under other names, and not in the sandbox. */
export const DISCORD_ORIGIN = "https://discord.com";
const OTHER_NAMES = new Set(["discordapp.com", "canary.discord.com", "ptb.discord.com", "www.discord.com"]);
/** What the newest version of the API is called; an address without one means an old one that is going away. */
const API = "/api/v10";
const PATH = /^(.*)\/webhooks\/(\d{1,20})\/([\w.-]{1,200})(?:\/(slack|github))?\/?$/;
const EXAMPLE = "https://discord.com/api/webhooks/…/…";
const COPY = `Copy it anew, like ${EXAMPLE}: channel settings, Integrations, Webhooks, Copy Webhook URL.`;

/**
 * Reads the address of a webhook: of Discord, or of the server at `apiUrl`. One of Discord's other host names is taken
 * for discord.com, which is the same, and so is any version of its API.
 */
export function parseWebhookUrl(text: string, { apiUrl }: WebhookUrlOptions = {}): WebhookAddress | AddressProblem {
  const url = URL.parse(text.trim());
  if (!url || url.username || url.password) return { problem: "It is not the address of a webhook", remedy: COPY };
  const isDiscord = url.origin === DISCORD_ORIGIN || url.protocol === "https:" && OTHER_NAMES.has(url.host);
  if (!isDiscord && url.origin !== originOf(apiUrl)) return foreign(url, apiUrl);
  const [, base = "", id, token, flavour] = PATH.exec(url.pathname) ?? [];
  if (id === undefined || token === undefined) {
    return { problem: "The address lacks the id and the token of a webhook", remedy: COPY };
  }
  if (flavour !== undefined) {
    return { problem: `It is the address for ${flavour}'s kind of messages`, remedy: `Leave /${flavour} off its end.` };
  }
  if (isDiscord && !/^\/api(\/v\d{1,3})?$/.test(base)) {
    return { problem: "It is not the address of a webhook", remedy: COPY };
  }
  const strange = [...url.searchParams.keys()].find((name) => name !== "wait" && name !== "thread_id");
  if (strange !== undefined) {
    return {
      problem: "Behind its ? stands something that is not known here",
      remedy: "Leave off the ? and what follows.",
    };
  }
  const threadId = url.searchParams.get("thread_id") ?? undefined;
  if (threadId !== undefined && !/^\d{1,20}$/.test(threadId)) {
    return { problem: "Its thread_id is not an id", remedy: "Leave off the ? and what follows, or use --thread-id." };
  }
  const origin = isDiscord ? DISCORD_ORIGIN : url.origin;
  const start = `${isDiscord ? API : base}/webhooks/${id}`;
  return {
    origin,
    path: `${start}/${token}`,
    shown: `${origin}${start}/***`,
    threadId,
  };
}

/**
 * Why `DISCORD_API_URL` cannot be used: it must be http or https, and https unless it is on this machine or network.
 * Undefined when all is well.
 */
export function checkApiUrl(text: string): AddressProblem | undefined {
  const url = URL.parse(text);
  const remedy = "Write the address of the server's API, like http://127.0.0.1:3001/api.";
  if (!url || !/^https?:$/.test(url.protocol)) return { problem: "It is not an address", remedy };
  if (url.username || url.password || url.search || url.hash) {
    return { problem: "It holds more than scheme, host, port and path", remedy };
  }
  if (url.protocol === "https:" || isLoopbackOrPrivate(url.hostname)) return undefined;
  return {
    problem: `Messages and the token would go to ${url.host} unencrypted`,
    remedy: `Write https://${url.host}.`,
  };
}

function originOf(apiUrl: string | undefined): string | undefined {
  return apiUrl === undefined || checkApiUrl(apiUrl) ? undefined : URL.parse(apiUrl)?.origin;
}

function foreign(url: URL, apiUrl: string | undefined): AddressProblem {
  const other = apiUrl === undefined ? "" : " nor at DISCORD_API_URL";
  return {
    problem: `It is not a webhook of Discord${other}: the host is ${url.host || "missing"}, the scheme ${url.protocol}`,
    remedy: apiUrl === undefined ? `${COPY} For another server that speaks Discord's API, set DISCORD_API_URL.` : COPY,
  };
}
