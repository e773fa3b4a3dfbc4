import { z } from "zod";
import embeddedText from "./default_discord.json" with { type: "text" };
import type { ConfigProblem } from "../core/errors.ts";
import { LANGUAGES, wordsOf } from "../core/language.ts";
import type { DeepReadonly } from "./schema.ts";
import { parseSettings, type SettingsKind } from "./settings_text.ts";
import { formatPath } from "./words.ts";

/** The commands of the bot, by the names the settings know them under; what people type has further names. */
export const DISCORD_COMMANDS = ["full", "memory", "reset", "who", "help", "status", "forget", "mute"] as const;
export type DiscordCommand = typeof DISCORD_COMMANDS[number];

const MOST_LISTED = 1000;

// Discord's ids have 17 to 20 digits; servers that speak its API may have shorter ones.
const id = z.string().regex(/^\d{1,20}$/).meta({
  description: 'an id in digits, for example "123456789012345678" (developer mode of Discord, Copy ID)',
});
const ids = (description: string) =>
  z.array(id).max(MOST_LISTED).default([]).meta({ description: `${description}; ${MOST_LISTED} ids at most` });
const onOrOff = z.enum(["on", "off"]);

const listed = (what: string) =>
  z.strictObject({
    guilds: ids(`servers ${what}`),
    channels: ids(`channels ${what}, their threads included`),
    roles: ids(`roles of people ${what}`),
    users: ids(`people ${what}`),
  }).prefault({});

const command = (whom: "everyone" | "moderators") =>
  z.strictObject({
    for: z.enum(["everyone", "moderators", "listed", "nobody"]).default(whom).meta({
      description:
        "who may use it: moderators can manage messages (anyone in a direct message), listed is those below alone",
    }),
    roles: ids("roles that may use it as well, unless nobody may"),
    users: ids("people who may use it as well, unless nobody may"),
  }).prefault({});

const ambientSchema = z.strictObject({
  default: onOrOff.default("off").meta({ description: "whether the bot may speak without being spoken to" }),
  channels: z.record(id, onOrOff.meta({ description: "whether it may in this channel and its threads" }))
    .default({}).meta({ description: "channels where this is otherwise, by id" }),
  calls_per_minute: z.int().min(0).max(60).default(2).meta({
    description: "how often a minute the model may be asked, in each channel, whether it has something to say",
  }),
}).prefault({}).meta({ description: "speaking without being spoken to" });

/** Shape, bounds and defaults of discord.json. */
export const discordSchema = z.strictObject({
  $schema: z.string().exactOptional().meta({ description: "path of the JSON Schema, for your editor" }),
  names: z.array(
    z.string().regex(/^[^\r\n]{1,64}$/).meta({ description: "a name on one line, 64 letters at most" }),
  ).max(20).default(["Django"]).meta({
    description: "what the bot listens to, as whole words without regard to capitals and accents; 20 at most",
  }),
  language: z.enum(["auto", ...LANGUAGES]).default("auto").meta({
    description: "language of what it says by itself; auto: that of whoever speaks to it",
  }),
  cooldown_seconds: z.number().min(0).max(3600).default(8).meta({
    description: "the least time between two answers in a channel; who speaks to it meanwhile is answered afterwards",
  }),
  ambient: ambientSchema,
  allow: listed("that are heard; an empty list lets all in"),
  deny: listed("that are not heard, whatever else is allowed"),
  direct_messages: z.strictObject({
    from: z.enum(["everyone", "listed", "nobody"]).default("everyone").meta({
      description: "whose direct messages are answered; everyone keeps to allow and deny",
    }),
    users: ids("the people meant by listed"),
  }).prefault({}),
  bots: z.strictObject({
    listed: ids("other bots that are heard as people are"),
    answers_in_a_row: z.int().min(1).max(20).default(3).meta({
      description: "answers to bots in a channel after which a person has to speak, or an hour to pass",
    }),
  }).prefault({}),
  limits: z.strictObject({
    messages_per_minute: z.int().min(1).max(600).default(10).meta({
      description: "how many messages of one person are answered a minute",
    }),
  }).prefault({}).meta({ description: "what one person may ask for" }),
  reading_speed: z.number().min(0).max(10_000).default(100).meta({
    description: "how many characters a second it seems to type; 0 sends an answer as soon as it is there",
  }),
  commands: z.strictObject(
    {
      full: command("everyone"),
      memory: command("everyone"),
      reset: command("moderators"),
      who: command("everyone"),
      help: command("everyone"),
      status: command("everyone"),
      forget: command("everyone"),
      mute: command("moderators"),
    } satisfies Record<DiscordCommand, unknown>,
  ).prefault({}).meta({ description: "who may use which command" }),
});

/** A valid discord.json with every default filled in. Ids are texts of digits. */
export type DiscordSettings = DeepReadonly<z.output<typeof discordSchema>>;

/** The `discord.json` every copy of the program carries: it says what no file says, too. Also what `init` writes. */
export const EMBEDDED_DISCORD_TEXT: string = embeddedText;

const TOKEN_IN_FILE = "Put the bot's token into .env as DISCORD_BOT_TOKEN; it has no place in this file.";

const DISCORD: SettingsKind<DiscordSettings> = {
  schema: discordSchema,
  jsonSchema: discordJsonSchema,
  habits: {
    token: TOKEN_IN_FILE,
    bot_token: TOKEN_IN_FILE,
    cooldown: "Write cooldown_seconds.",
    dm: 'Write "direct_messages": { "from": "everyone" }.',
    dm_policy: 'Write "direct_messages": { "from": "everyone" }.',
  },
  rules: checkNames,
};

/**
 * Reads and checks the text of a `discord.json`.
 * @param source what to call it in messages
 * @returns the settings, deeply frozen
 * @throws ConfigError with every problem found, each with its path and remedy
 */
export function parseDiscordSettings(text: string, source: string): DiscordSettings {
  return parseSettings(text, source, DISCORD);
}

/** A name of signs alone would never be heard: messages are searched for words. */
function checkNames({ names }: DiscordSettings): ConfigProblem[] {
  return names.flatMap((name, index) =>
    wordsOf(name).length > 0 ? [] : [{
      path: formatPath(["names", index]),
      message: "There is no letter and no digit in this name",
      remedy: "Write it as people would type it; in Discord they can always mention the bot.",
    }]
  );
}

/** The JSON Schema (draft 7) of discord.json as a person may write it. */
export function discordJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(discordSchema, { io: "input", target: "draft-7" });
  return {
    $schema,
    title: "The Discord bot of django-agent",
    description: "When the bot speaks, to whom, and who may command it. Comments are allowed in discord.json.",
    ...schema,
  };
}

/** The text of `config/discord.schema.json`; a test holds the two together. */
export function discordSchemaFileText(): string {
  return `${JSON.stringify(discordJsonSchema(), null, 2)}\n`;
}
