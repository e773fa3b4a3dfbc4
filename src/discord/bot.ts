import type { DiscordSettings } from "../config/discord_settings.ts";
import { detectLanguage, type Language } from "../core/language.ts";
import { AgentError, describeFault } from "../core/errors.ts";
import { cutText } from "../core/format.ts";
import type { Log } from "../core/log.ts";
import { Slots } from "../core/slots.ts";
import type { AgentApi } from "./agent_api.ts";
import { type AttachmentOptions, kindOf, readAttachments } from "./attachments.ts";
import { ChannelBuffer } from "./buffer.ts";
import { ambientCallMade, type ChannelState, heard, newChannel, spoke } from "./channel_state.ts";
import { BOT_LINES } from "./bot_lines.ts";
import { Commands } from "./commands.ts";
import { readCommand, readQuestion } from "./command_words.ts";
import { describeScene } from "./context.ts";
import { Conversation, type Question } from "./conversation.ts";
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
import { decide, type Decision } from "./participation.ts";
import type { Turn } from "./pending.ts";
import { Places } from "./places.ts";
import { conversationIdFor, type Names, taggedMessage } from "./readable.ts";
import type { DiscordRest } from "./rest.ts";
import { Roster } from "./roster.ts";
import { readSlashCommand, slashCommands } from "./slash_commands.ts";

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

/** What is going on in one channel, thread or direct message. */
interface Talk {
  readonly guildId: string | undefined;
  readonly conversation: Conversation;
  state: ChannelState;
  language: Language | undefined;
}

/** Channels whose talk is kept in mind at a time; the one that was silent for longest goes first. */
const MOST_TALKS = 1000;
const MINUTE_MS = 60_000;
/** Questions to the agent at a time: a model's queue is short and refuses what does not fit, here the rest waits. */
const MOST_AT_ONCE = 8;
/** Letters of a name that the API takes. */
const MOST_NAME = 200;

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
  /** By channel, those that were silent for longest first. */
  readonly #talks = new Map<string, Talk>();
  /** When each person was answered in the last minute, epoch milliseconds. */
  readonly #asked = new Map<string, number[]>();
  readonly #slots = new Slots(MOST_AT_ONCE);
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
      dropTurnsOf: (userId) => this.#talks.forEach(({ conversation }) => conversation.forget(userId)),
    });
  }

  ready(self: Self): void {
    const isFirst = this.#self === undefined;
    this.#self = self;
    if (isFirst) void this.#offerCommands(self);
  }

  /** Shows the commands in Discord's list; without that they can still be typed. */
  async #offerCommands({ applicationId }: Self): Promise<void> {
    const { rest, log } = this.#options;
    try {
      for (const command of slashCommands()) await rest.register(applicationId, command);
    } catch (error) {
      log.warn(`Cannot offer the bot's commands in Discord's list: ${describeFailure(error)}`);
    }
  }

  command(interaction: CommandInteraction): void {
    const { id, channelId, guildId, author, isModerator } = interaction;
    const command = readSlashCommand(interaction);
    const self = this.#self;
    if (!command || !self) return;
    const message: ChannelMessage = {
      ...NO_MESSAGE,
      id,
      channelId,
      guildId,
      author,
      content: command.rest || "/",
      atMs: Date.now(),
    };
    const talk = this.#talkOf(message);
    const { rest, log } = this.#options;
    const deferred = rest.defer(interaction);
    deferred.then(() => {
      const place = { language: this.#languageOf(talk, message), isModerator, talk, interaction };
      // Who is not heard gets the answer of those who may not.
      const isWelcome = isHeard(this.#decide(message, { self, talk, nowMs: Date.now() }));
      if (isWelcome) this.#commands.carryOut(command, message, place);
      else return rest.answer(interaction, [BOT_LINES[place.language].notAllowed]);
    }).catch((error) => log.warn(`A command of Discord's list failed: /${command.name}: ${describeFailure(error)}`));
  }

  guild(guild: Guild, channels: readonly Channel[]): void {
    this.#places.guild(guild, channels);
  }

  guildGone(guildId: string): void {
    this.#places.guildGone(guildId);
    this.#roster.guildGone(guildId);
    this.#buffer.guildGone(guildId);
    for (const talk of this.#talks.values()) if (talk.guildId === guildId) talk.conversation.drop();
  }

  channel(channel: Channel): void {
    this.#places.channel(channel);
  }

  channelGone(channelId: string): void {
    this.#places.channelGone(channelId);
    this.#buffer.clear(channelId);
    this.#talks.get(channelId)?.conversation.drop();
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
    this.#roster.seen(message);
    this.#buffer.add(message);
    const talk = this.#talkOf(message);
    talk.state = heard(talk.state, message.author);
    const nowMs = Date.now();
    const decision = this.#decide(message, { self, talk, nowMs });
    const command = isHeard(decision) ? readCommand(message.content) : undefined;
    if (!command && decision.kind === "ignore") return;
    // What nobody asked for counts for nobody.
    const isFree = command?.name === "forget" || command?.name === "mute"; // whoever wants to be left alone may say so
    if (!isFree && (command || decision.kind === "answer") && !this.#mayAsk(message, nowMs)) return;
    if (command) {
      const place = { language: this.#languageOf(talk, message), isModerator: this.#places.isModerator(message), talk };
      return this.#commands.carryOut(command, message, place);
    }
    if (decision.kind === "answer") return talk.conversation.hear("addressed", message);
    talk.state = ambientCallMade(talk.state, nowMs);
    talk.conversation.hear("ambient", message);
  }

  messageEdited(message: ChannelMessage): void {
    this.#buffer.edit(message);
    const [talk, self] = [this.#talks.get(message.channelId), this.#self];
    if (!talk || !self) return;
    const decision = this.#decide(message, { self, talk, nowMs: Date.now() });
    if (isNoQuestion(decision) && !readCommand(message.content)) return talk.conversation.deleted([message.id]);
    talk.conversation.edited({ ...message, content: readQuestion(message.content) });
  }

  messagesDeleted(channelId: string, messageIds: readonly string[]): void {
    this.#buffer.remove(channelId, messageIds);
    this.#talks.get(channelId)?.conversation.deleted(messageIds);
  }

  /** Ends every conversation, and begins none any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#commands.stop();
    await Promise.all([...this.#talks.values()].map(({ conversation }) => conversation.stop()));
  }

  #decide(message: ChannelMessage, { self, talk, nowMs }: { self: Self; talk: Talk; nowMs: number }): Decision {
    const settings = this.#options.settings();
    const { ownRoleId } = this.#places.guildOf(message.guildId) ?? {};
    const place = this.#places.placeOf(message);
    const here = { id: self.id, ownRoleId, names: settings.names };
    return decide({ message, place, self: here, settings, state: talk.state, nowMs });
  }

  /** Whether a person may be answered once more this minute. */
  #mayAsk({ author }: ChannelMessage, nowMs: number): boolean {
    const recent = (this.#asked.get(author.id) ?? []).filter((atMs) => nowMs - atMs < MINUTE_MS);
    const isFree = recent.length < this.#options.settings().limits.messages_per_minute;
    this.#asked.delete(author.id);
    this.#asked.set(author.id, isFree ? [...recent, nowMs] : recent);
    for (const [id, times] of this.#asked) {
      if (nowMs - (times.at(-1) ?? 0) < MINUTE_MS) break; // those after it have asked later
      this.#asked.delete(id);
    }
    return isFree;
  }

  #talkOf({ channelId, guildId }: ChannelMessage): Talk {
    const known = this.#talks.get(channelId);
    this.#talks.delete(channelId);
    const talk = known ?? this.#begin(channelId, guildId);
    this.#talks.set(channelId, talk);
    if (this.#talks.size > MOST_TALKS) this.#dropIdle();
    return talk;
  }

  #dropIdle(): void {
    const nowMs = Date.now();
    for (const [channelId, { conversation, state }] of this.#talks) {
      if (this.#talks.size <= MOST_TALKS) return;
      // One that is muted is silent for long, and has to stay so.
      if (conversation.isIdle && state.mutedUntilMs <= nowMs) this.#talks.delete(channelId);
    }
  }

  #begin(channelId: string, guildId: string | undefined): Talk {
    const { api, rest, settings, log } = this.#options;
    const conversation = new Conversation({
      channelId,
      api,
      rest,
      log,
      slots: this.#slots,
      ask: (turn, signal) => this.#ask(turn, talk, signal),
      language: ({ messages }) => this.#languageOf(talk, messages.at(-1)),
      pace: () => ({ cooldownMs: settings().cooldown_seconds * 1000, readingSpeed: settings().reading_speed }),
      onSpoken: (turn, text) => {
        const toBot = turn.messages.some(({ author }) => author.isBot);
        talk.state = spoke(talk.state, { atMs: Date.now(), toBot, text });
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

  async #ask({ mode, messages }: Turn, talk: Talk, signal: AbortSignal): Promise<Question> {
    const [last] = messages.slice(-1);
    const self = this.#self;
    if (!last || !self) throw new Error("A turn without a message, or before the bot knows itself");
    const language = this.#languageOf(talk, last);
    const { guildId, channelId, author } = last;
    const channel = this.#places.channelOf(channelId);
    const names = this.#namesIn(guildId);
    const scene = describeScene({
      language,
      now: new Date(),
      self,
      guild: this.#places.guildOf(guildId),
      channel,
      parent: this.#places.channelOf(channel?.parentId),
      members: guildId === undefined ? [] : this.#roster.membersOf(guildId),
      messages: this.#buffer.read(channelId),
      answeredIds: messages.map(({ id }) => id),
      names,
    });
    const label = scene.labelOf(author);
    const files = messages.flatMap(({ attachments }) => attachments);
    const { api, download } = this.#options;
    const seesImages = files.some((file) => kindOf(file) === "image") && await api.sees(signal);
    const { text, images } = await readAttachments(files, { language, seesImages, download, signal });
    return {
      language,
      names: { self: [self.username, ...this.#options.settings().names], others: scene.labels },
      request: {
        message: [...messages.map((message) => taggedMessage(message, names, label)), ...(text === "" ? [] : [text])]
          .join("\n"),
        conversation_id: conversationIdFor(last),
        cognitive_mode: mode,
        context: scene.text,
        ...(images.length > 0 && { images }),
        user: { id: `discord:${author.id}`, name: cutText(author.name || author.username || author.id, MOST_NAME) },
      },
    };
  }

  #namesIn(guildId: string | undefined): Names {
    return {
      user: (id) => id === this.#self?.id ? this.#self.username : this.#roster.nameOf(id, guildId),
      role: () => undefined,
      channel: (id) => this.#places.channelOf(id)?.name,
    };
  }
}

/** A command of Discord's list stands for a message like this. */
const NO_MESSAGE = {
  mentionedUserIds: [],
  mentionedRoleIds: [],
  mentionsEveryone: false,
  repliesTo: undefined,
  attachments: [],
} as const;

function describeFailure(error: unknown): string {
  return error instanceof AgentError ? error.message : describeFault(error);
}

/** Whether a message that was a question reads now as if nobody was asked: it is not answered, as if it were deleted. */
function isNoQuestion(decision: Decision): boolean {
  return decision.kind === "ignore" &&
    ["empty", "reaction", "to_somebody_else", "ambient_off"].includes(decision.because);
}

/** Commands are taken from everybody who is heard, also where the bot is muted or has nothing to say. */
function isHeard(decision: Decision): boolean {
  return decision.kind !== "ignore" || !["self", "webhook", "bot", "bot_pair", "denied"].includes(decision.because);
}
