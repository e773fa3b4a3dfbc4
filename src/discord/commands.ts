import type { DiscordSettings } from "../config/discord_settings.ts";
import { describeReason } from "../core/errors.ts";
import type { Language } from "../core/language.ts";
import type { Log } from "../core/log.ts";
import type { AgentApi } from "./agent_api.ts";
import { BOT_LINES } from "./bot_lines.ts";
import type { ChannelBuffer } from "./buffer.ts";
import { type ChannelState, mutedUntil } from "./channel_state.ts";
import { mayUse } from "./command_rights.ts";
import { readMinutes, type TypedCommand } from "./command_words.ts";
import type { Conversation } from "./conversation.ts";
import type { ChannelMessage, CommandInteraction } from "./events.ts";
import type { Output } from "./pending.ts";
import { conversationIdFor, safeName } from "./readable.ts";
import type { DiscordRest } from "./rest.ts";
import type { Roster } from "./roster.ts";
import { splitText } from "./split.ts";

export interface CommandsOptions {
  readonly api: Pick<AgentApi, "clear" | "forgetUser">;
  readonly rest: Pick<DiscordRest, "post" | "answer">;
  readonly settings: () => Pick<DiscordSettings, "commands">;
  readonly status: (language: Language) => string;
  readonly roster: Roster;
  readonly buffer: ChannelBuffer;
  /** Drops what somebody has asked and is not answered yet, in every channel. */
  readonly dropTurnsOf: (userId: string) => void;
  readonly log: Log;
}

/** Where a command is given. */
export interface CommandPlace {
  readonly language: Language;
  /** Whether the author may manage messages there. */
  readonly isModerator: boolean;
  /** The command of Discord's list that it was, whose answer goes to it; undefined for a message. */
  readonly interaction?: CommandInteraction;
  readonly talk: { readonly conversation: Conversation; state: ChannelState };
  /** True when it is to be done without a word in the channel. */
  readonly isQuiet?: boolean;
}

/** Members that `!who` names. */
const MOST_NAMED = 60;

/** What the commands do. Each answers with a line of its own; the two that ask the agent are answered by it. */
export class Commands {
  readonly #options: CommandsOptions;
  readonly #stopping = new AbortController();

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** Carries a command out, in its own time; whatever goes wrong is told the log. */
  carryOut(command: TypedCommand, message: ChannelMessage, place: CommandPlace): void {
    const warn = (error: unknown) => {
      this.#options.log.warn(`A command on Discord failed: !${command.name}: ${describeReason(error)}`);
    };
    void this.#run(command, message, place).catch(async (error) => {
      if (this.#stopping.signal.aborted) return;
      warn(error);
      await this.#say(BOT_LINES[place.language].failed, message, place).catch(warn);
    });
  }

  /** Gives up what is asked of the agent. */
  stop(): void {
    this.#stopping.abort();
  }

  async #run({ name, rest }: TypedCommand, message: ChannelMessage, place: CommandPlace): Promise<void> {
    const lines = BOT_LINES[place.language];
    const asker = {
      author: message.author,
      isModerator: place.isModerator,
      isDirect: message.guildId === undefined,
    };
    if (!mayUse(name, asker, this.#options.settings().commands)) {
      return await this.#say(lines.notAllowed, message, place);
    }
    const { conversation } = place.talk;
    switch (name) {
      case "full":
      case "memory":
        if (rest === "") return await this.#say(lines.nothingToAsk, message, place);
        return conversation.hear("addressed", { ...message, content: rest }, {
          mode: name === "full" ? 1 : 3,
          output: this.#outputOf(place),
        });
      case "reset":
        return await this.#reset(message, place);
      case "who":
        return await this.#say(this.#who(message, place.language), message, place);
      case "help":
        return await this.#say(lines.help, message, place);
      case "status":
        return await this.#say(this.#options.status(place.language), message, place);
      case "forget":
        return await this.#forget(message, place);
      case "mute":
        return await this.#mute(rest, message, place);
    }
  }

  async #reset(message: ChannelMessage, place: CommandPlace): Promise<void> {
    const { language, talk } = place;
    talk.conversation.drop();
    this.#options.buffer.clear(message.channelId);
    await this.#options.api.clear(conversationIdFor(message), this.#stopping.signal);
    await this.#say(BOT_LINES[language].wasReset, message, place);
  }

  async #forget(message: ChannelMessage, place: CommandPlace): Promise<void> {
    const { roster, buffer, api, dropTurnsOf } = this.#options;
    const { id } = message.author;
    dropTurnsOf(id); // answered later, it would be remembered again
    roster.forget(id);
    buffer.forget(id);
    await api.forgetUser(`discord:${id}`, this.#stopping.signal);
    await this.#say(BOT_LINES[place.language].forgotten, message, place);
  }

  async #mute(rest: string, message: ChannelMessage, place: CommandPlace): Promise<void> {
    const { language, talk } = place;
    const lines = BOT_LINES[language];
    const minutes = readMinutes(rest);
    if (minutes === undefined) return await this.#say(lines.notMinutes, message, place);
    talk.conversation.drop();
    talk.state = mutedUntil(talk.state, Date.now() + minutes * 60_000);
    await this.#say(lines.muted(minutes), message, place);
  }

  #who({ guildId }: ChannelMessage, language: Language): string {
    const lines = BOT_LINES[language];
    const members = guildId === undefined ? [] : this.#options.roster.membersOf(guildId);
    if (members.length === 0) return lines.nobodyKnown;
    const names = members.slice(0, MOST_NAMED).map(safeName).join(", ");
    return `${lines.members(members.length)} ${names}${members.length > MOST_NAMED ? ", …" : ""}`;
  }

  /** Where the agent's answer goes; undefined for the channel. */
  #outputOf({ interaction }: CommandPlace): Output | undefined {
    return interaction && ((contents) => this.#options.rest.answer(interaction, contents));
  }

  async #say(text: string, { id, channelId }: ChannelMessage, place: CommandPlace): Promise<void> {
    const { interaction, isQuiet = false } = place;
    if (interaction) return await this.#options.rest.answer(interaction, splitText(text));
    if (isQuiet) return;
    for (const [index, content] of splitText(text).entries()) {
      await this.#options.rest.post(channelId, {
        content,
        replyTo: index === 0 ? id : undefined,
        nonce: `${id}-c${index}`,
      });
    }
  }
}
