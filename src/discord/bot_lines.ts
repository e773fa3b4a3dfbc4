import type { Language } from "../core/language.ts";

/** What the bot says by itself, without a model. */
export interface BotLines {
  /** When nothing can answer somebody who waits. */
  readonly cannotAnswer: string;
  /** When what somebody wrote, or attached, is more than any model can take. */
  readonly tooLong: string;
  /** When a question that was asked by a command is given up. */
  readonly dropped: string;
  readonly notAllowed: string;
  /** When somebody asks more often than the settings allow. */
  readonly tooMany: string;
  /** When a command could not be carried out. */
  readonly failed: string;
  readonly wasReset: string;
  readonly forgotten: string;
  readonly muted: (minutes: number) => string;
  readonly notMinutes: string;
  readonly nothingToAsk: string;
  /** When somebody asked by a command, and the agent keeps silent. */
  readonly nothingToSay: string;
  readonly members: (count: number) => string;
  readonly nobodyKnown: string;
  readonly help: string;
}

/** In both languages. No line is one that another bot could take for a question. */
export const BOT_LINES: Readonly<Record<Language, BotLines>> = {
  es: {
    cannotAnswer: "Ahora mismo no puedo responder.",
    tooLong: "Eso es demasiado largo para mí.",
    dropped: "Dejo esa pregunta sin responder.",
    tooMany: "Son muchas preguntas seguidas; espera un minuto.",
    notAllowed: "Ese comando no te está permitido aquí.",
    failed: "No ha funcionado; inténtalo más tarde.",
    wasReset: "Hecho: la conversación de este canal empieza de nuevo.",
    forgotten: "Hecho: he olvidado lo que sabía de ti.",
    muted: (minutes) => `De acuerdo, callo aquí durante ${minutes} ${minutes === 1 ? "minuto" : "minutos"}.`,
    notMinutes: "Escribe los minutos con cifras, por ejemplo: !silencio 30",
    nothingToAsk: "Escribe la pregunta detrás del comando.",
    nothingToSay: "A eso no tengo nada que decir.",
    members: (count) => `Miembros (${count}):`,
    nobodyKnown: "Todavía no conozco a nadie aquí.",
    help: [
      "`!full pregunta` responde con toda la memoria y la web",
      "`!memory pregunta` solo lo que recuerdo, sin modelo",
      "`!reset` (`!nueva`) empieza de nuevo la conversación de este canal",
      "`!who` (`!quien`) quién está aquí",
      "`!status` cómo estoy",
      "`!forget me` (`!olvídame`) olvido lo que sé de ti",
      "`!mute 30` (`!silencio 30`) callo aquí media hora",
    ].join("\n"),
  },
  en: {
    cannotAnswer: "I cannot answer right now.",
    tooLong: "That is too long for me.",
    dropped: "I leave that question unanswered.",
    tooMany: "That is a lot of questions in a row; wait a minute.",
    notAllowed: "You may not use that command here.",
    failed: "That did not work; try again later.",
    wasReset: "Done: the conversation of this channel starts anew.",
    forgotten: "Done: I have forgotten what I knew about you.",
    muted: (minutes) => `All right, I keep quiet here for ${minutes} ${minutes === 1 ? "minute" : "minutes"}.`,
    notMinutes: "Write the minutes in digits, for example: !mute 30",
    nothingToAsk: "Write the question behind the command.",
    nothingToSay: "I have nothing to say to that.",
    members: (count) => `Members (${count}):`,
    nobodyKnown: "I do not know anybody here yet.",
    help: [
      "`!full question` answers with all memory and the web",
      "`!memory question` only what I remember, without a model",
      "`!reset` (`!new`) starts the conversation of this channel anew",
      "`!who` who is here",
      "`!status` how I am",
      "`!forget me` I forget what I know about you",
      "`!mute 30` I keep quiet here for half an hour",
    ].join("\n"),
  },
};
