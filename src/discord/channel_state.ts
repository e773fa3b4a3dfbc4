import type { Author } from "./events.ts";

/** A minute, over which ambient calls are counted. */
export const AMBIENT_WINDOW_MS = 60_000;
/** After so long without an answer to a bot, what was between the two is over and counts no more. */
export const BOT_EXCHANGE_MS = 3_600_000;
/** More calls than this in a minute no setting allows. */
const MOST_CALLS_KEPT = 60;

/**
 * What has to be known of a channel (a thread, a direct message) to decide whether to speak there. Never changed: every
 * function below returns the state that comes after. All times are epoch milliseconds.
 */
export interface ChannelState {
  /** When the bot last took part here; before it has, when it first saw the channel. */
  readonly tookPartAtMs: number;
  /** When it last sent something; undefined when it has not yet. */
  readonly spokeAtMs: number | undefined;
  /** Whether what it sent last asked something, so that a bare "ok" is an answer. */
  readonly asked: boolean;
  /** When the model was asked whether it wants to say something: the last time, and the minute before that. */
  readonly ambientCallsMs: readonly number[];
  /** Nothing is said before this time; 0 when nobody has muted the bot, infinite when for good. */
  readonly mutedUntilMs: number;
  /** Answers to bots since a person last wrote, those that are still to be given included. */
  readonly botAnswers: number;
  /** When the last of them was decided on. */
  readonly botAnsweredAtMs: number;
}

/** The state of a channel that is seen for the first time. */
export function newChannel(nowMs: number): ChannelState {
  return {
    tookPartAtMs: nowMs,
    spokeAtMs: undefined,
    asked: false,
    ambientCallsMs: [],
    mutedUntilMs: 0,
    botAnswers: 0,
    botAnsweredAtMs: 0,
  };
}

/** After any message, whether it is answered or not: where a person writes, no two bots are among themselves. */
export function heard(state: ChannelState, { isBot, isWebhook }: Author): ChannelState {
  return state.botAnswers === 0 || isBot || isWebhook ? state : { ...state, botAnswers: 0 };
}

export interface Spoken {
  readonly atMs: number;
  /** The text that was sent. */
  readonly text: string;
}

/** After something has been sent. */
export function spoke(state: ChannelState, { atMs, text }: Spoken): ChannelState {
  return {
    ...state,
    tookPartAtMs: atMs,
    spokeAtMs: atMs,
    asked: /[?？]["»”')*_]{0,3}$/.test(text.slice(-200).trimEnd()),
  };
}

/** When it is decided to answer a bot: before the answer is there, since much may be asked for until then. */
export function botAnswerDue(state: ChannelState, atMs: number): ChannelState {
  const isOver = elapsedMs(state.botAnsweredAtMs, atMs) >= BOT_EXCHANGE_MS;
  return { ...state, botAnswers: isOver ? 1 : state.botAnswers + 1, botAnsweredAtMs: atMs };
}

/** When the model is asked whether it wants to say something: at once, before it has answered, and even if it will not. */
export function ambientCallMade(state: ChannelState, atMs: number): ChannelState {
  const recent = state.ambientCallsMs.filter((callMs) => elapsedMs(callMs, atMs) < AMBIENT_WINDOW_MS);
  return { ...state, ambientCallsMs: [...recent, atMs].slice(-MOST_CALLS_KEPT) };
}

/** Mutes the bot here until then; 0 lets it speak again. */
export function mutedUntil(state: ChannelState, untilMs: number): ChannelState {
  return { ...state, mutedUntilMs: untilMs };
}

/** Milliseconds from then to now; infinite where the clock was set back, so that nothing waits for it to catch up. */
export function elapsedMs(thenMs: number, nowMs: number): number {
  return nowMs >= thenMs ? nowMs - thenMs : Infinity;
}
