import { asRecord } from "../providers/json.ts";
import type { RestRequests } from "./rest_requests.ts";

/** Which of the intents that Discord grants on request only are wanted, or granted. */
export interface IntentChoice {
  /** Lists of members. */
  readonly members: boolean;
  /** Who is online; of use only where members are known. */
  readonly presences: boolean;
  /** The text of messages that are not addressed to the bot. */
  readonly content: boolean;
}

/** Bits of an application's flags, each also for bots in fewer than 100 servers. Source: "Application Flags". */
const FLAGS = {
  presences: (1 << 12) | (1 << 13),
  members: (1 << 14) | (1 << 15),
  content: (1 << 18) | (1 << 19),
};

/** What is granted to an application, as `GET /applications/@me` gives it; undefined when its flags are not there. */
export function grantedIntents(application: unknown): IntentChoice | undefined {
  const flags = asRecord(application)?.["flags"];
  if (typeof flags !== "number") return undefined;
  const has = (bits: number) => (flags & bits) !== 0;
  return { members: has(FLAGS.members), presences: has(FLAGS.presences), content: has(FLAGS.content) };
}

/** Asks once what is granted to the bot; undefined when the server does not say. */
export async function readGrantedIntents(requests: Pick<RestRequests, "send">): Promise<IntentChoice | undefined> {
  const what = "to say what the bot may see";
  try {
    return grantedIntents(await requests.send({ method: "GET", route: () => "/applications/@me", what, tries: 1 }));
  } catch {
    return undefined; // the connection itself will tell
  }
}
