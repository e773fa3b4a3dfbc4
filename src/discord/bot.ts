import type { DiscordSettings } from "../config/discord_settings.ts";
import { describeReason } from "../core/errors.ts";
import { detectLanguage, type Language } from "../core/language.ts";
import type { Log } from "../core/log.ts";
import { Slots } from "../core/slots.ts";
import type { AgentApi } from "./agent_api.ts";
import { AskLimit } from "./ask_limit.ts";
import type { AttachmentOptions } from "./attachments.ts";
import { BOT_LINES } from "./bot_lines.ts";
import { ChannelBuffer } from "./buffer.ts";
import { ambientCallMade, botAnswerDue, heard, newChannel, spoke } from "./channel_state.ts";
import { mayUse } from "./command_rights.ts";
import { readCommand, readQuestion, type TypedCommand } from "./command_words.ts";
import { Commands } from "./commands.ts";
import { type AskOptions, Conversation, type Question } from "./conversation.ts";
import type {
  Channel,
  ChannelMessage,
  CommandInteraction,
  DiscordEvents,
  Guild,
  Member,
  Presence,
  Self,
} from "./events.ts";
import { decide, type Decision, isHeard, mayBeQuestion } from "./participation.ts";
import type { Turn } from "./pending.ts";
import { Places } from "./places.ts";
import { writeQuestion } from "./question.ts";
import type { DiscordRest } from "./rest.ts";
import { Roster } from "./roster.ts";
import { readSlashCommand, slashCommands } from "./slash_commands.ts";
import { type Talk, type TalkPlace, Talks } from "./talks.ts";

export interface BotOptions {
  readonly api: AgentApi;
  readonly rest: DiscordRest;
  /** What counts now. */
  readonly settings: () => DiscordSettings;
  /** Fetches a file that somebody attached. */
  readonly download: AttachmentOptions["download"];
  /** How the program is, in one line, for `!status`. */
  readonly status: (language: Language) => string;
  readonly log: Log;
}

/** Questions to the agent at a time: a model's queue is short and refuses what does not fit, here the rest waits. */
const MOST_AT_ONCE = 8;

/**
 * The bot: takes note of what happens on Discord, decides about every message whether to speak, and lets the agent
 * answer. Channels do not wait for each other and know nothing of each other.
 */
export class DiscordBot implements DiscordEvents {
  readonly #options: BotOptions;
  readonly #roster = new Roster();
  readonly #buffer = new ChannelBuffer();
  readonly #places = new Places();
  readonly #commands: Commands;
  readonly #talks = new Talks((place) => this.#begin(place));
  readonly #askLimit = new AskLimit();
  readonly #slots = new Slots(MOST_AT_ONCE);
  readonly #pictureSlots = new Slots(1);
  #self: Self | undefined;
  #isStopping = false;

  constructor(options: BotOptions) {
    this.#options = options;
    const { api, rest, settings, status, log } = options;
    this.#commands = new Commands({
      api,
      rest,
      settings,
      status,
      log,
      roster: this.#roster,
      buffer: this.#buffer,
      dropTurnsOf: (userId) => {
        for (const { conversation } of this.#talks.all()) conversation.forget(userId);
      },
    });
  }

  ready(self: Self): void {
    const isFirst = this.#self === undefined;
    this.#self = self;
    this.#roster.nobodyOnline(); // who is, is told anew
    if (isFirst) void this.#offerCommands(self);
  }

  /** Shows the commands in Discord's list; without that they can still be typed. */
  async #offerCommands({ applicationId }: Self): Promise<void> {
    const { rest, log } = this.#options;
    try {
      for (const command of slashCommands()) await rest.register(applicationId, command);
    } catch (error) {
      log.warn(`Cannot offer the bot's commands in Discord's list: ${describeReason(error)}`);
    }
  }

  command(interaction: CommandInteraction): void {
    const { isModerator } = interaction;
    const [command, self] = [readSlashCommand(interaction), this.#self];
    if (!command || !self || this.#isStopping) return;
    const message = messageOf(interaction, command);
    const talk = this.#talks.of(message);
    const { rest, log } = this.#options;
    const nowMs = Date.now();
    const decision = this.#decide(message, { self, talk, nowMs });
    const place = { language: this.#languageOf(talk, message), isModerator, talk, interaction };
    const lines = BOT_LINES[place.language];
    // Who is not heard gets the answer of those who may not.
    const refusal = !isHeard(decision)
      ? lines.notAllowed
      : this.#admit(message, { nowMs, command, isModerator }) === "no"
      ? lines.tooMany
      : undefined;
    rest.defer(interaction).then(async () => {
      if (refusal !== undefined) await rest.answer(interaction, [refusal]);
      else if (!this.#isStopping) this.#commands.carryOut(command, message, place);
    }).catch((error) => log.warn(`A command of Discord's list failed: /${command.name}: ${describeReason(error)}`));
  }

  guild(guild: Guild, channels: readonly Channel[] | undefined): void {
    this.#places.guild(guild, channels);
  }

  guildGone(guildId: string): void {
    this.#places.guildGone(guildId);
    this.#roster.guildGone(guildId);
    this.#buffer.guildGone(guildId);
    for (const talk of this.#talks.all()) if (talk.guildId === guildId) talk.conversation.drop();
  }

  channel(channel: Channel): void {
    this.#places.channel(channel);
  }

  channelGone(channelId: string): void {
    this.#places.channelGone(channelId);
    this.#buffer.clear(channelId);
    this.#talks.in(channelId)?.conversation.drop();
  }

  members(guildId: string, members: readonly Member[]): void {
    this.#roster.members(guildId, members);
  }

  memberGone(guildId: string, userId: string): void {
    this.#roster.memberGone(guildId, userId);
  }

  presences(changes: readonly Presence[]): void {
    this.#roster.presences(changes);
  }

  message(message: ChannelMessage): void {
    const self = this.#self;
    if (!self || this.#isStopping) return;
    const talk = this.#talks.of(message);
    talk.state = heard(talk.state, message.author);
    const nowMs = Date.now();
    const decision = this.#decide(message, { self, talk, nowMs });
    if (decision.kind === "ignore" && decision.because === "denied") return; // nothing of it is kept
    this.#roster.seen(message);
    this.#buffer.add(message);
    const { author } = message;
    const command = isHeard(decision) && !author.isBot ? readCommand(message.content) : undefined;
    if (!command && decision.kind === "ignore") return;
    // What nobody asked for counts for nobody.
    const isModerator = this.#places.isModerator(message);
    const isAsked = command !== undefined || decision.kind === "answer";
    const admission = isAsked ? this.#admit(message, { nowMs, command, isModerator }) : "yes";
    if (admission === "no") return;
    if (command) {
      const isQuiet = admission === "quietly";
      const place = { language: this.#languageOf(talk, message), isModerator, talk, isQuiet };
      return this.#commands.carryOut(command, message, place);
    }
    if (decision.kind === "answer") {
      if (author.isBot) talk.state = botAnswerDue(talk.state, nowMs);
      return talk.conversation.hear("addressed", message);
    }
    talk.state = ambientCallMade(talk.state, nowMs);
    talk.conversation.hear("ambient", message);
  }

  messageEdited(message: ChannelMessage): void {
    this.#buffer.edit(message);
    const [talk, self] = [this.#talks.in(message.channelId), this.#self];
    if (!talk || !self) return;
    const command = readCommand(message.content);
    const isQuestion = command
      ? command.name === "full" || command.name === "memory"
      : mayBeQuestion(this.#decide(message, { self, talk, nowMs: Date.now() }));
    if (!isQuestion) return talk.conversation.deleted([message.id]); // as it reads now, nobody is asked
    talk.conversation.edited({ ...message, content: readQuestion(message.content) });
  }

  messagesDeleted(channelId: string, messageIds: readonly string[]): void {
    this.#buffer.remove(channelId, messageIds);
    this.#talks.in(channelId)?.conversation.deleted(messageIds);
  }

  /** Ends every conversation, and begins none any more. What is being answered has so many milliseconds to finish. */
  async stop(graceMs = 0): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#talks.all()].map(({ conversation }) => conversation.stop(graceMs)));
    this.#commands.stop();
  }

  #decide(message: ChannelMessage, { self, talk, nowMs }: { self: Self; talk: Talk; nowMs: number }): Decision {
    const settings = this.#options.settings();
    const { ownRoleId } = this.#places.guildOf(message.guildId) ?? {};
    const place = this.#places.placeOf(message);
    const here = { id: self.id, ownRoleId, names: settings.names };
    return decide({ message, place, self: here, settings, state: talk.state, nowMs });
  }

  /**
   * Whether somebody may be answered once more this minute. Whoever wants to be left alone may always say so; when they
   * have said a lot already, it is done without a word.
   */
  #admit({ author, guildId }: ChannelMessage, { nowMs, command, isModerator }: Asked): "yes" | "quietly" | "no" {
    const { commands, limits } = this.#options.settings();
    if (this.#askLimit.take(author.id, limits.messages_per_minute, nowMs)) return "yes";
    const isWish = command?.name === "forget" || command?.name === "mute";
    const asker = { author, isModerator, isDirect: guildId === undefined };
    return isWish && mayUse(command.name, asker, commands) ? "quietly" : "no";
  }

  #begin({ channelId, guildId }: TalkPlace): Talk {
    const { api, rest, settings, log } = this.#options;
    const conversation = new Conversation({
      channelId,
      api,
      rest,
      log,
      slots: this.#slots,
      pictureSlots: this.#pictureSlots,
      ask: (turn, options) => this.#ask(turn, { ...options, talk }),
      language: ({ messages }) => this.#languageOf(talk, messages.at(-1)),
      pace: () => ({ cooldownMs: settings().cooldown_seconds * 1000, readingSpeed: settings().reading_speed }),
      onSpoken: (text) => {
        talk.state = spoke(talk.state, { atMs: Date.now(), text });
      },
    });
    const talk: Talk = { guildId, conversation, state: newChannel(Date.now()), language: undefined };
    return talk;
  }

  /** The configured language, else that of the message, else the one spoken here last. */
  #languageOf(talk: Talk, message: ChannelMessage | undefined): Language {
    const { language } = this.#options.settings();
    if (language !== "auto") return language;
    talk.language = detectLanguage(message?.content ?? "") ?? talk.language;
    return talk.language ?? "es";
  }

  async #ask(turn: Turn, { talk, ...options }: AskOptions & { readonly talk: Talk }): Promise<Question> {
    const self = this.#self;
    if (!self) throw new Error("A turn before the bot knows itself");
    const { api, download, settings } = this.#options;
    return await writeQuestion(turn, {
      ...options,
      self,
      selfNames: settings().names,
      language: this.#languageOf(talk, turn.messages.at(-1)),
      places: this.#places,
      roster: this.#roster,
      buffer: this.#buffer,
      api,
      download,
    });
  }
}

/** How somebody asks for something. */
interface Asked {
  readonly nowMs: number;
  readonly command: TypedCommand | undefined;
  readonly isModerator: boolean;
}

/** The message that a command of Discord's list stands for. */
function messageOf(interaction: CommandInteraction, { rest }: TypedCommand): ChannelMessage {
  const { id, channelId, guildId, author } = interaction;
  return {
    id,
    channelId,
    guildId,
    author,
    content: rest || "/",
    mentionedUserIds: [],
    repliesTo: undefined,
    attachments: [],
    atMs: Date.now(),
  };
}
