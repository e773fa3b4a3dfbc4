import { AgentError, describeFault, describeReason, withRemedy } from "../core/errors.ts";
import type { Language } from "../core/language.ts";
import type { Log } from "../core/log.ts";
import { inTime } from "../core/in_time.ts";
import { pause } from "../core/pause.ts";
import type { Slots } from "../core/slots.ts";
import { type AgentApi, type AgentReply, type AgentRequest, TooLongError } from "./agent_api.ts";
import { kindOf } from "./attachments.ts";
import { BOT_LINES } from "./bot_lines.ts";
import type { EnvelopeNames } from "./envelope.ts";
import type { ChannelMessage } from "./events.ts";
import {
  isOf,
  type Output,
  PendingTurns,
  type Turn,
  type TurnKind,
  type TurnOptions,
  withEdited,
  withoutMessages,
} from "./pending.ts";
import { planReply, type ReplyPart } from "./reply.ts";
import type { DiscordRest } from "./rest.ts";
import { remainingDelayMs, Typing } from "./typing.ts";

/** What the agent is asked about a turn. */
export interface Question {
  readonly request: AgentRequest;
  /** Of the conversation. */
  readonly language: Language;
  readonly names: EnvelopeNames;
}

export interface AskOptions {
  /** True when the whole of it was too long for the agent. */
  readonly isBrief: boolean;
  readonly signal: AbortSignal;
}

/** How fast the bot is. */
export interface Pace {
  /** The least time between two answers here, in milliseconds. */
  readonly cooldownMs: number;
  /** Characters a second that it seems to type; 0 sends an answer as soon as it is there. */
  readonly readingSpeed: number;
}

export interface ConversationOptions {
  readonly channelId: string;
  readonly api: Pick<AgentApi, "chat">;
  readonly rest: Pick<DiscordRest, "post" | "typing">;
  /** Of all channels together: how many may ask the agent at a time. */
  readonly slots: Slots;
  /** The same for questions with pictures, which are held in memory several times over. */
  readonly pictureSlots: Slots;
  /** Made at the last moment: it says what is there when the agent is asked. */
  readonly ask: (turn: Turn, options: AskOptions) => Promise<Question>;
  /** Of what is said here without the agent. */
  readonly language: (turn: Turn) => Language;
  readonly pace: () => Pace;
  /** Told of every answer once it is there, with its text as far as it got. */
  readonly onSpoken: (text: string) => void;
  readonly log: Log;
}

interface Current {
  /** What has become of it; undefined when nothing is left to be answered. */
  turn: Turn | undefined;
  /** How often it has begun anew. */
  readonly form: number;
  readonly attempt: AbortController;
  isSending: boolean;
}

interface Attempt {
  readonly signal: AbortSignal;
  /** How often the turn has changed: another form of a question gets another answer, and must not pass for the same. */
  readonly form: number;
  readonly beginSending: () => void;
}

/** How often a turn begins anew because of an edit. */
const MOST_FORMS = 3;
/** One line that nothing can answer is enough for so long. */
const EXCUSE_GAP_MS = 300_000;

/**
 * The answers of one channel, one after the other. What is edited before it is answered is answered as it reads then;
 * what is deleted is not answered.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #pending = new PendingTurns();
  readonly #stopping = new AbortController();
  /** The turn that is being answered, and what gives up the attempt. */
  #current: Current | undefined;
  #running: Promise<void> | undefined;
  #spokeAtMs = -Infinity;
  #excusedAtMs = -Infinity;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** True when nothing is being answered and nothing waits. */
  get isIdle(): boolean {
    return this.#running === undefined;
  }

  hear(kind: TurnKind, message: ChannelMessage, options?: TurnOptions): void {
    if (this.#stopping.signal.aborted) return;
    this.#pending.add(kind, message, options);
    this.#running ??= this.#run();
  }

  /** What is edited again and again is answered as it read in the end of all patience: others are waiting. */
  edited(message: ChannelMessage): void {
    if (this.#pending.edit(message) || (this.#current?.form ?? 0) >= MOST_FORMS) return;
    this.#change((turn) => withEdited(turn, message));
  }

  deleted(messageIds: readonly string[]): void {
    this.#pending.remove(messageIds);
    this.#change((turn) => withoutMessages(turn, messageIds));
  }

  /** Drops what somebody has asked, unless the answer is being sent already. */
  forget(userId: string): void {
    this.#tellDropped(this.#pending.forget(userId));
    this.#change((turn) => isOf(turn, userId) ? undefined : turn);
  }

  /** Drops everything that waits, and what is being answered, unless it is being sent already. */
  drop(): void {
    this.#tellDropped(this.#pending.clear());
    this.#change(() => undefined);
  }

  /**
   * Ends it: what waits is dropped, what is being answered has so many milliseconds to finish. Resolves when nothing of
   * it runs any more.
   */
  async stop(graceMs = 0): Promise<void> {
    const told = this.#tellDropped(this.#pending.clear());
    if (graceMs > 0 && this.#running) await inTime(graceMs, this.#running);
    this.#stopping.abort();
    await Promise.all([this.#running, told]);
  }

  /** Who chose a command from Discord's list would see for ever that the bot is thinking. */
  async #tellDropped(turns: readonly Turn[]): Promise<void> {
    const { language, log } = this.#options;
    await Promise.all(turns.map((turn) =>
      turn.output?.([BOT_LINES[language(turn)].dropped])
        .catch((error) => log.warn(`Cannot say that a command is given up: ${describeReason(error)}`))
    ));
  }

  /** Begins the current turn anew, as it is now. */
  #change(change: (turn: Turn) => Turn | undefined): void {
    const current = this.#current;
    if (!current?.turn || current.isSending) return;
    const changed = change(current.turn);
    if (changed === current.turn) return;
    current.turn = changed;
    current.attempt.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let waitMs = this.#waitMs(); waitMs !== undefined; waitMs = this.#waitMs()) {
      // Before a turn is taken: what is added, edited or deleted until then is part of it, or is not.
      if (waitMs > 0 && !await pause(waitMs, signal)) continue;
      let now = this.#pending.take();
      for (let form = 0; now && !signal.aborted; form++) now = await this.#attempt(now, form);
    }
    this.#current = undefined;
    this.#running = undefined; // in the same step as the last look: what is heard from here on has to begin anew
  }

  /** How long the next turn has to wait, in milliseconds; undefined when there is none. */
  #waitMs(): number | undefined {
    const leftMs = Math.max(0, this.#spokeAtMs + this.#options.pace().cooldownMs - performance.now());
    // A chance to comment does not wait: it is over.
    if (leftMs > 0) this.#pending.dropAmbient();
    const next = this.#pending.next;
    if (!next) return undefined;
    return next.output ? 0 : leftMs;
  }

  /** Answers a turn; gives what it has become when it changed meanwhile. Never throws. */
  async #attempt(turn: Turn, form: number): Promise<Turn | undefined> {
    const current: Current = { turn, form, attempt: new AbortController(), isSending: false };
    this.#current = current;
    const signal = AbortSignal.any([current.attempt.signal, this.#stopping.signal]);
    try {
      await this.#answer(turn, { signal, form, beginSending: () => current.isSending = true });
    } catch (error) {
      if (!signal.aborted) await this.#fail(turn, error, current.isSending);
    }
    const isDropped = signal.aborted && !current.isSending && (this.#stopping.signal.aborted || !current.turn);
    if (isDropped) await this.#tellDropped([turn]);
    return current.attempt.signal.aborted && !current.isSending ? current.turn : undefined;
  }

  async #answer(turn: Turn, { signal, form, beginSending }: Attempt): Promise<void> {
    const { rest, pace, channelId } = this.#options;
    if (turn.output) return await this.#answerElsewhere(turn, turn.output, { signal, beginSending });
    using typing = new Typing((signal) => rest.typing(channelId, signal));
    if (turn.kind === "addressed") typing.start();
    const startedAtMs = performance.now();
    const { language, names, reply } = await this.#consult(turn, signal);
    const [last] = turn.messages.slice(-1);
    if (reply.silent || !last) return;
    const nonceSeed = form === 0 ? last.id : `${last.id}:${form}`;
    const { parts, silent } = planReply(reply.content, { language, names, replyTo: last.id, nonceSeed });
    if (silent) return;
    if (parts.length === 0) return await this.#excuse(turn);
    typing.start();
    const letters = parts.reduce((sum, { content }) => sum + content.length, 0);
    const tookMs = performance.now() - startedAtMs;
    const delayMs = remainingDelayMs({ letters, lettersPerSecond: pace().readingSpeed, tookMs });
    if (delayMs > 0 && !await pause(delayMs, signal)) return;
    signal.throwIfAborted();
    beginSending();
    await this.#send(parts);
  }

  /** Of an answer that breaks off midway the beginning was said all the same. */
  async #send(parts: readonly ReplyPart[]): Promise<void> {
    const { rest, channelId, onSpoken } = this.#options;
    const said: string[] = [];
    try {
      for (const part of parts) {
        await rest.post(channelId, part);
        said.push(part.content);
      }
    } finally {
      if (said.length > 0) {
        this.#spokeAtMs = performance.now();
        onSpoken(said.join("\n"));
      }
    }
  }

  /** For a command of Discord's list: whoever chose it sees that the bot is thinking, and gets an answer in any case. */
  async #answerElsewhere(turn: Turn, output: Output, { signal, beginSending }: Omit<Attempt, "form">): Promise<void> {
    const { reply, language, names } = await this.#consult(turn, signal);
    const nonceSeed = turn.messages[0]?.id ?? "";
    const { parts } = planReply(reply.silent ? "" : reply.content, {
      language,
      names,
      replyTo: undefined,
      nonceSeed,
    });
    signal.throwIfAborted();
    beginSending();
    const contents = parts.map(({ content }) => content);
    await output(contents.length > 0 ? contents : [BOT_LINES[language].nothingToSay]);
  }

  /** What is too long as a whole is asked once more in brief. */
  async #consult(turn: Turn, signal: AbortSignal): Promise<Consulted> {
    const { slots, pictureSlots } = this.#options;
    using _slot = await slots.take(signal);
    if (!hasPictures(turn)) return await this.#askAgent(turn, signal);
    using _picture = await pictureSlots.take(signal);
    return await this.#askAgent(turn, signal);
  }

  async #askAgent(turn: Turn, signal: AbortSignal): Promise<Consulted> {
    const { api, ask } = this.#options;
    const consult = async (isBrief: boolean) => {
      const question = await ask(turn, { isBrief, signal });
      return { ...question, reply: await api.chat(question.request, signal) };
    };
    try {
      return await consult(false);
    } catch (error) {
      if (!(error instanceof TooLongError)) throw error;
      return await consult(true);
    }
  }

  async #fail(turn: Turn, error: unknown, isSending: boolean): Promise<void> {
    const reason = error instanceof AgentError ? withRemedy(error.message, error.remedy) : describeFault(error);
    this.#options.log.warn(`No answer in a channel of Discord: ${reason}`);
    // Where the answer was refused, a further message would be, too; and there was an answer.
    if (!isSending) await this.#excuse(turn, error instanceof TooLongError ? "tooLong" : "cannotAnswer");
  }

  /** One honest line for somebody who waits, now and then; bots and bystanders get none. */
  async #excuse(turn: Turn, line: "cannotAnswer" | "tooLong" = "cannotAnswer"): Promise<void> {
    const { log, rest, channelId, language } = this.#options;
    const last = turn.messages.at(-1);
    const warn = (failure: unknown) => log.warn(`Cannot say that there is no answer: ${describeReason(failure)}`);
    if (turn.output) return await turn.output([BOT_LINES[language(turn)][line]]).catch(warn);
    const isDue = performance.now() - this.#excusedAtMs >= EXCUSE_GAP_MS;
    if (turn.kind !== "addressed" || !last || last.author.isBot || !isDue) return;
    this.#excusedAtMs = performance.now();
    const content = BOT_LINES[language(turn)][line];
    try {
      await rest.post(channelId, { content, replyTo: last.id, nonce: `${last.id}-x` });
    } catch (failure) {
      warn(failure);
    }
  }
}

type Consulted = Question & { readonly reply: AgentReply };

function hasPictures({ messages }: Turn): boolean {
  return messages.some(({ attachments }) => attachments.some((file) => kindOf(file) === "image"));
}
