import type { DiscordSettings } from "../config/discord_settings.ts";
import { findMentions, isNamed, type Mentioned } from "./addressees.ts";
import { AMBIENT_WINDOW_MS, BOT_EXCHANGE_MS, type ChannelState, elapsedMs } from "./channel_state.ts";
import type { Channel, ChannelMessage, Self } from "./events.ts";
import { isReaction } from "./reaction.ts";
import { whatIsSaid } from "./said.ts";

/** What of discord.json decides whether to speak. */
export type ParticipationSettings = Pick<
  DiscordSettings,
  "cooldown_seconds" | "ambient" | "allow" | "deny" | "direct_messages" | "bots"
>;

/** The bot as people of one server may call it. */
export interface SelfHere extends Pick<Self, "id"> {
  /** The role Discord made for it there: autocompletion often picks it in place of the bot. */
  readonly ownRoleId?: string | undefined;
  readonly names: readonly string[];
}

/** Everything a decision depends on. */
export interface Situation {
  readonly message: ChannelMessage;
  /** Where it stands: the channel or thread. */
  readonly place: Pick<Channel, "id" | "guildId" | "parentId">;
  readonly self: SelfHere;
  readonly settings: ParticipationSettings;
  readonly state: ChannelState;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

export type AddressedBy = "dm" | "mention" | "reply" | "name";
export type IgnoredBecause =
  | "self"
  | "webhook"
  | "bot"
  | "denied"
  | "muted"
  | "bot_pair"
  | "empty"
  | "reaction"
  | "to_somebody_else"
  | "ambient_off"
  | "cooldown"
  | "ambient_rate"
  | "decayed";

/** What to do about a message. */
export type Decision =
  /** It is for the bot: answer, once the channel's cooldown is over. */
  | { readonly kind: "answer"; readonly because: AddressedBy }
  /** It is for nobody in particular: the model may say something, or keep silent. */
  | { readonly kind: "ambient" }
  | { readonly kind: "ignore"; readonly because: IgnoredBecause };

/**
 * The longer the bot has not taken part, the more seldom the model is asked: the next time when half as long as that
 * has passed since it was asked last, but at least every half an hour. So a model that keeps silent is asked after 8 s,
 * 16 s, 32 s, … as far as the rate lets it, and in a day some 50 times; once it speaks, all begins anew.
 */
const DECAY = 0.5;
const LONGEST_GAP_MS = 1_800_000;

/** Something other than blanks and signs that nobody sees. */
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{M}\u115f\u1160\u2800\u3164]/u;

/**
 * Decides whether the bot speaks. Pure: the same situation gives the same decision. What forbids comes before what
 * calls for an answer; only who mentions or names the bot is answered even if all else is a reaction.
 */
export function decide(situation: Situation): Decision {
  const { message, settings, state } = situation;
  const unheard = whyNotHeard(situation);
  if (unheard) return ignore(unheard);
  if (!VISIBLE.test(message.content) && message.attachments.length === 0) return ignore("empty");
  const said = whatIsSaid(message.content);
  const mentioned = findMentions(said.text);
  const because = howAddressed(situation, mentioned, said.text);
  // Most messages of most servers end here, so that nothing more is looked at.
  if (!because && !isAmbient(situation.place, settings.ambient)) return ignore("ambient_off");
  if (because !== "mention" && because !== "name" && !said.hasCode && message.attachments.length === 0) {
    // Where the bot has asked something, "ok" to it is an answer.
    if (!(because && state.asked) && isReaction(said.text)) return ignore("reaction");
  }
  if (because) return { kind: "answer", because };
  if (isToSomebodyElse(message, mentioned)) return ignore("to_somebody_else");
  const quiet = whyQuiet(situation);
  return quiet ? ignore(quiet) : { kind: "ambient" };
}

/** What a reason to say nothing is about. */
interface Meaning {
  /** Whether commands are taken all the same: also where the bot is muted or has nothing to say. */
  readonly isHeard: boolean;
  /** Whether it is about what the message says, so that another form of it may be another matter. */
  readonly isAboutText: boolean;
}

const NOT_HEARD: Meaning = { isHeard: false, isAboutText: false };
const NOT_NOW: Meaning = { isHeard: true, isAboutText: false };
const NO_QUESTION: Meaning = { isHeard: true, isAboutText: true };

const MEANINGS: Readonly<Record<IgnoredBecause, Meaning>> = {
  self: NOT_HEARD,
  webhook: NOT_HEARD,
  bot: NOT_HEARD,
  bot_pair: NOT_HEARD,
  denied: NOT_HEARD,
  muted: NOT_NOW,
  cooldown: NOT_NOW,
  ambient_rate: NOT_NOW,
  decayed: NOT_NOW,
  empty: NO_QUESTION,
  reaction: NO_QUESTION,
  to_somebody_else: NO_QUESTION,
  ambient_off: NO_QUESTION,
};

/** Whether commands are taken from whoever wrote it. */
export function isHeard(decision: Decision): boolean {
  return decision.kind !== "ignore" || MEANINGS[decision.because].isHeard;
}

/** Whether a message that the bot is about to answer may still be answered as it reads now. */
export function mayBeQuestion(decision: Decision): boolean {
  return decision.kind !== "ignore" || !MEANINGS[decision.because].isAboutText;
}

function ignore(because: IgnoredBecause): Decision {
  return { kind: "ignore", because };
}

/** Why nothing of this message counts, whatever it says. */
function whyNotHeard(situation: Situation): IgnoredBecause | undefined {
  const { message: { author }, self, settings: { bots }, state, nowMs } = situation;
  if (author.id === self.id) return "self";
  if (author.isWebhook) return "webhook";
  if (author.isBot && !bots.listed.includes(author.id)) return "bot";
  if (isDenied(situation)) return "denied";
  if (nowMs < state.mutedUntilMs) return "muted";
  // Counted over all bots of the channel: three of them can go round in circles as well as two.
  const isExchange = author.isBot && elapsedMs(state.botAnsweredAtMs, nowMs) < BOT_EXCHANGE_MS;
  return isExchange && state.botAnswers >= bots.answers_in_a_row ? "bot_pair" : undefined;
}

function isDenied({ message, place, settings: { allow, deny, direct_messages } }: Situation): boolean {
  const { id, roleIds } = message.author;
  const isAmong = ({ users, roles }: typeof allow) =>
    users.includes(id) || roles.some((role) => roleIds.includes(role));
  const isHere = (channels: readonly string[]) =>
    channels.includes(place.id) || (place.parentId !== undefined && channels.includes(place.parentId));
  if (isAmong(deny) || isHere(deny.channels)) return true;
  const isWelcome = isAmong(allow) || (allow.users.length === 0 && allow.roles.length === 0);
  if (place.guildId === undefined) {
    const { from, users } = direct_messages;
    return from === "nobody" || (from === "listed" ? !users.includes(id) : !isWelcome);
  }
  if (deny.guilds.includes(place.guildId)) return true;
  if (allow.guilds.length > 0 && !allow.guilds.includes(place.guildId)) return true;
  return !isWelcome || (allow.channels.length > 0 && !isHere(allow.channels));
}

/** `text` is what the author says, without code and quotes. */
function howAddressed(
  { message, place, self }: Situation,
  mentioned: Mentioned,
  text: string,
): AddressedBy | undefined {
  if (place.guildId === undefined) return "dm";
  if (mentioned.userIds.has(self.id)) return "mention";
  if (self.ownRoleId !== undefined && mentioned.roleIds.has(self.ownRoleId)) return "mention";
  if (isReplyTo(self.id, message)) return "reply";
  return isNamed(text, self.names) ? "name" : undefined;
}

/** Where the server does not say whose message it was, whom the reply notifies tells. */
function isReplyTo(id: string, { repliesTo, mentionedUserIds }: ChannelMessage): boolean {
  if (!repliesTo) return false;
  return repliesTo.authorId === undefined ? mentionedUserIds.includes(id) : repliesTo.authorId === id;
}

/** For a message that is not addressed to the bot. Who replies to themselves goes on with what they said. */
function isToSomebodyElse({ author, repliesTo }: ChannelMessage, { userIds, roleIds, everyone }: Mentioned): boolean {
  if (repliesTo && repliesTo.authorId !== author.id) return true;
  return everyone || roleIds.size > 0 || [...userIds].some((id) => id !== author.id);
}

/** Why the model is not even asked whether it wants to say something. */
function whyQuiet({ settings, state, nowMs }: Situation): IgnoredBecause | undefined {
  if (cooldownMs(settings, state, nowMs) > 0) return "cooldown";
  const recent = state.ambientCallsMs.filter((callMs) => elapsedMs(callMs, nowMs) < AMBIENT_WINDOW_MS);
  if (recent.length >= settings.ambient.calls_per_minute) return "ambient_rate";
  const lastCallMs = state.ambientCallsMs.at(-1);
  if (lastCallMs === undefined) return undefined;
  const gapMs = Math.min(elapsedMs(state.tookPartAtMs, nowMs) * DECAY, LONGEST_GAP_MS);
  return elapsedMs(lastCallMs, nowMs) < gapMs ? "decayed" : undefined;
}

/** A thread does as its channel does, unless it is named itself. */
function isAmbient({ id, parentId }: Situation["place"], ambient: ParticipationSettings["ambient"]): boolean {
  const channel = [id, parentId].find((one) => one !== undefined && Object.hasOwn(ambient.channels, one));
  return (channel === undefined ? ambient.default : ambient.channels[channel]) === "on";
}

function cooldownMs(
  { cooldown_seconds }: Pick<ParticipationSettings, "cooldown_seconds">,
  { spokeAtMs }: ChannelState,
  nowMs: number,
): number {
  return spokeAtMs === undefined ? 0 : Math.max(0, cooldown_seconds * 1000 - elapsedMs(spokeAtMs, nowMs));
}
