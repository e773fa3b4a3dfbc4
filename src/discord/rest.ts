import { asRecord } from "../providers/json.ts";
import type { CommandInteraction } from "./events.ts";
import { RestError } from "./rest_error.ts";
import type { RestRequests } from "./rest_requests.ts";

/** A message to a channel. */
export interface OutgoingMessage {
  /** At most 2000 characters; mentions in it notify nobody. */
  readonly content: string;
  /** The message that it answers; when that one is gone, it is sent all the same. */
  readonly replyTo?: string | undefined;
  /** At most 25 characters: within some minutes a second message with the same one is not posted again. */
  readonly nonce: string;
}

/**
 * What the bot asks of Discord's REST API. Everything throws `RestError`, and `BusyError` when more than a few wait for
 * the same channel.
 */
export interface DiscordRest {
  /**
   * Posts a message; tried again until it is confirmed or there is no hope, which the nonce makes safe.
   * @returns its id; undefined when the server does not name it
   */
  post(channelId: string, message: OutgoingMessage): Promise<string | undefined>;
  /** Says within the three seconds that Discord grants that an answer to a command will come. */
  defer(interaction: InteractionKey): Promise<void>;
  /** Answers a command that was deferred, with one message after the other. */
  answer(interaction: InteractionKey, contents: readonly string[]): Promise<void>;
  /** Offers a command in Discord's list, or changes the one of that name. Others of the application stay. */
  register(applicationId: string, command: object): Promise<void>;
  /** Shows for ten seconds that the bot is typing, unless the signal aborts before. Tried once: nobody misses it. */
  typing(channelId: string, signal: AbortSignal): Promise<void>;
}

/** What an answer to a command needs. */
export type InteractionKey = Pick<CommandInteraction, "id" | "token" | "applicationId">;

const MOST_NONCE = 25;
/** Pings nobody. */
const QUIET = { allowed_mentions: { parse: [] } };
/** "I am thinking about it." Source: Discord's API documentation, "Interaction Callback Type". */
const DEFERRED = { type: 5 };
/** How long a message waits for a Discord that is away: for some minutes it knows a nonce again. */
const PATIENCE_MS = 180_000;
/** Discord knows an interaction for so long that was not deferred. */
const DEFER_MS = 3000;
/** "Interaction has already been acknowledged." Source: Discord's API documentation, "JSON Error Codes". */
const ALREADY_ACKNOWLEDGED = 40060;

/**
 * The REST API over requests that know how to wait and when to give up.
 * @param patienceMs how long a message is tried to be posted while Discord cannot be reached
 */
export function createDiscordRest(requests: RestRequests, { patienceMs = PATIENCE_MS } = {}): DiscordRest {
  return {
    async post(channelId, { content, replyTo, nonce }) {
      checkId(channelId);
      if (nonce === "" || nonce.length > MOST_NONCE) throw new RangeError(`A nonce has 1 to ${MOST_NONCE} characters`);
      const answer = await requests.send({
        method: "POST",
        route: (routes) => routes.channels.messages(channelId),
        what: "the message",
        patienceMs,
        body: {
          content,
          nonce,
          enforce_nonce: true,
          allowed_mentions: { parse: [], replied_user: false },
          ...(replyTo !== undefined && { message_reference: { message_id: replyTo, fail_if_not_exists: false } }),
        },
      });
      const { id } = asRecord(answer) ?? {};
      return typeof id === "string" && ID.test(id) ? id : undefined;
    },
    async defer({ id, token }) {
      const route = () => `/interactions/${checkedId(id)}/${encodeURIComponent(token)}/callback`;
      const what = "to wait for the answer to a command";
      const signal = AbortSignal.timeout(DEFER_MS);
      await requests.send({ method: "POST", route, what, body: DEFERRED, tries: 2, signal }).catch((error) => {
        // The first try arrived, and its answer got lost.
        if (!(error instanceof RestError && error.code === ALREADY_ACKNOWLEDGED)) throw error;
      });
    },
    async answer({ applicationId, token }, [first, ...more]) {
      const path = `/webhooks/${checkedId(applicationId)}/${encodeURIComponent(token)}`;
      const what = "the answer to a command";
      const body = { content: first, ...QUIET };
      await requests.send({ method: "PATCH", route: () => `${path}/messages/@original`, what, body });
      // These know no nonce, so each is sent once.
      for (const content of more) {
        await requests.send({ method: "POST", route: () => path, what, body: { content, ...QUIET }, tries: 1 });
      }
    },
    async register(applicationId, command) {
      const route = () => `/applications/${checkedId(applicationId)}/commands`;
      await requests.send({ method: "POST", route, what: "to offer a command", body: command });
    },
    async typing(channelId, signal) {
      checkId(channelId);
      await requests.send({
        method: "POST",
        route: (routes) => routes.channels.typing(channelId),
        what: "to show that the bot is typing",
        tries: 1,
        signal,
      });
    },
  };
}

const ID = /^\d{1,20}$/;

/** Ids become part of a path. */
function checkId(id: string): void {
  if (!ID.test(id)) throw new RangeError("An id is 1 to 20 digits");
}

function checkedId(id: string): string {
  checkId(id);
  return id;
}
