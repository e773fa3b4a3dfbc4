/** A bot with an agent and a Discord that are made of notes. */
import { parseDiscordSettings } from "../../src/config/discord_settings.ts";
import type { AgentApi, AgentRequest } from "../../src/discord/agent_api.ts";
import { DiscordBot } from "../../src/discord/bot.ts";
import type { CommandInteraction } from "../../src/discord/events.ts";
import { author } from "./messages.ts";

const SELF = { id: "1", applicationId: "1", username: "Django" };

export interface BotSceneOptions {
  /** What the agent says; without it, it never answers. */
  readonly answer?: string;
  /** False when what is posted is never confirmed. */
  readonly isPosting?: boolean;
  /** Of discord.json. */
  readonly settings?: object;
}

/** A bot of the name Django with the id 1. */
export function createBotScene({ answer, isPosting = true, settings = {} }: BotSceneOptions = {}) {
  /** The signals of all that the agent was asked. */
  const calls: AbortSignal[] = [];
  const asked: AgentRequest[] = [];
  const reply = <T>(signal: AbortSignal, what: T) => {
    calls.push(signal);
    if (answer !== undefined) return Promise.resolve(what);
    return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const api: AgentApi = {
    chat(request, signal) {
      asked.push(request);
      return reply(signal, { content: answer ?? "", silent: false });
    },
    sees: () => Promise.resolve(false),
    clear: (_, signal) => reply(signal, undefined),
    forgetUser: (_, signal) => reply(signal, undefined),
  };
  const posted: string[] = [];
  /** Answers to commands of Discord's list, by the id of the interaction. */
  const answered = new Map<string, readonly string[]>();
  const bot = new DiscordBot({
    api,
    rest: {
      post: (_, { content }) => isPosting ? Promise.resolve(String(posted.push(content))) : new Promise(() => {}),
      typing: () => Promise.resolve(),
      defer: () => Promise.resolve(),
      answer: ({ id }, contents) => Promise.resolve(void answered.set(id, contents)),
      register: () => Promise.resolve(),
    },
    settings: () =>
      parseDiscordSettings(JSON.stringify({ reading_speed: 0, cooldown_seconds: 0, ...settings }), "test"),
    download: () => Promise.reject(new Error("There are no files")),
    status: () => "fine",
    log: { error() {}, warn() {}, info() {}, debug() {} },
  });
  bot.ready(SELF);
  return { bot, calls, asked, posted, answered };
}

/** Somebody chooses a command from Discord's list, in channel 5 of server 3. */
export function interaction(id: string, name: string, more: Partial<CommandInteraction> = {}): CommandInteraction {
  return {
    id,
    token: `token-${id}`,
    applicationId: "1",
    channelId: "5",
    guildId: "3",
    author: author("7"),
    isModerator: false,
    name,
    options: new Map([["question", "¿qué tal?"]]),
    ...more,
  };
}

/** Whatever can go on without waiting has gone on. */
export const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
