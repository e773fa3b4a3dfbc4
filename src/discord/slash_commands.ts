import { DISCORD_COMMANDS, type DiscordCommand } from "../config/discord_settings.ts";
import type { TypedCommand } from "./command_words.ts";
import type { CommandInteraction } from "./events.ts";

interface Described {
  readonly en: string;
  readonly es: string;
}

interface SlashOption extends Described {
  readonly name: string;
  readonly type: "text" | "number";
  readonly required: boolean;
}

const QUESTION: SlashOption = {
  name: "question",
  type: "text",
  required: true,
  en: "What you want to know",
  es: "Lo que quieres saber",
};
const MINUTES: SlashOption = {
  name: "minutes",
  type: "number",
  required: false,
  en: "For how long; half an hour if you do not say",
  es: "Durante cuánto tiempo; media hora si no lo dices",
};

const COMMANDS: Readonly<Record<DiscordCommand, Described & { readonly option?: SlashOption }>> = {
  full: { en: "Ask with all memory and the web", es: "Pregunta con toda la memoria y la web", option: QUESTION },
  memory: {
    en: "Ask what is remembered, without a model",
    es: "Pregunta lo que recuerda, sin modelo",
    option: QUESTION,
  },
  reset: { en: "Begin this channel's conversation anew", es: "Empieza de nuevo la conversación de este canal" },
  who: { en: "Who is here", es: "Quién está aquí" },
  help: { en: "What the bot can do", es: "Qué sabe hacer el bot" },
  status: { en: "How the bot is", es: "Cómo está el bot" },
  forget: { en: "Have the bot forget what it knows about you", es: "Que el bot olvide lo que sabe de ti" },
  mute: { en: "Have the bot keep quiet in this channel", es: "Que el bot calle en este canal", option: MINUTES },
};

/** Types of options. Source: Discord's API documentation, "Application Command Option Type". */
const TYPES = { text: 3, number: 4 } as const;

/** The commands as they are registered: English, with descriptions in Spanish for those whose Discord speaks it. */
export function slashCommands(): object[] {
  return DISCORD_COMMANDS.map((name) => {
    const { option, ...described } = COMMANDS[name];
    return {
      name,
      ...describe(described),
      ...(option && {
        options: [{
          name: option.name,
          type: TYPES[option.type],
          required: option.required,
          ...describe(option),
          ...(option.type === "number" && { min_value: 1, max_value: 1440 }),
        }],
      }),
    };
  });
}

function describe({ en, es }: Described): object {
  return { description: en, description_localizations: { "es-ES": es, "es-419": es } };
}

/** The command that somebody chose; undefined for one that is not the bot's (any more). */
export function readSlashCommand({ name, options }: CommandInteraction): TypedCommand | undefined {
  const known = DISCORD_COMMANDS.find((each) => each === name);
  if (known === undefined) return undefined;
  const option = COMMANDS[known].option;
  return { name: known, rest: option === undefined ? "" : (options.get(option.name) ?? "").trim() };
}
