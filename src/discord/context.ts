import { type Language, plain } from "../core/language.ts";
import { CHARS_PER_TOKEN } from "../core/tokens.ts";
import type { BufferedMessage } from "./buffer.ts";
import type { Channel, Guild, Member, Self } from "./events.ts";
import { type Named, type Names, readMentions, safeLine, safeName } from "./readable.ts";

/** What the bot sees around a message. */
export interface Scene {
  readonly language: Language;
  readonly now: Date;
  readonly self: Pick<Self, "id" | "username">;
  /** Undefined in a direct message. */
  readonly guild: Pick<Guild, "name" | "memberCount"> | undefined;
  readonly channel: Pick<Channel, "name" | "topic"> | undefined;
  /** The channel that a thread belongs to. */
  readonly parent: Pick<Channel, "name"> | undefined;
  /** Known members, the most interesting first. No more are taken than the list has room for. */
  readonly members: Iterable<Member>;
  /** The channel's last messages, oldest first. */
  readonly messages: readonly BufferedMessage[];
  /** Ids of the messages that are answered now: they are not repeated. */
  readonly answeredIds: readonly string[];
  readonly names: Names;
}

export interface ContextLimits {
  /** UTF-16 units of the whole text, without the bar that the prompt puts before each line. Default 6,000. */
  readonly letters?: number;
  /** About how many tokens the list of members may take. Default 400. */
  readonly memberTokens?: number;
}

/** A scene as the model is told of it. */
export interface GroupContext {
  /** Empty when not even its first line fits. */
  readonly text: string;
  /** What the text calls somebody: for the message that is answered, so that both speak of the same person. */
  labelOf(person: Person): string;
  /** Everybody the text may name, so that an answer that begins with such a name can be told. */
  readonly labels: readonly string[];
}

/** Somebody who writes or could. */
export type Person = Named & { readonly isBot: boolean; readonly isWebhook?: boolean };

interface Words {
  readonly header: string;
  readonly direct: string;
  readonly server: string;
  readonly channel: string;
  readonly thread: string;
  readonly topic: string;
  readonly self: string;
  readonly members: string;
  readonly more: (count: number) => string;
  readonly messages: string;
  readonly you: string;
  readonly files: (count: number) => string;
}

/** The fixed words of a context, in both languages. */
export const CONTEXT_WORDS: Readonly<Record<Language, Words>> = {
  es: {
    header: "[CONTEXTO EN TIEMPO REAL — DISCORD]",
    direct: "Mensaje directo",
    server: "Servidor",
    channel: "Canal",
    thread: "Hilo",
    topic: "Tema",
    self: "Aquí te llamas",
    members: "Miembros",
    more: (count) => `y ${count} más`,
    messages: "Últimos mensajes, del más antiguo al más reciente",
    you: "Tú",
    files: (count) => count === 1 ? "(1 archivo adjunto)" : `(${count} archivos adjuntos)`,
  },
  en: {
    header: "[REAL-TIME CONTEXT — DISCORD]",
    direct: "Direct message",
    server: "Server",
    channel: "Channel",
    thread: "Thread",
    topic: "Topic",
    self: "Your name here",
    members: "Members",
    more: (count) => `and ${count} more`,
    messages: "Latest messages, oldest first",
    you: "You",
    files: (count) => count === 1 ? "(1 file attached)" : `(${count} files attached)`,
  },
};

const PLACE_LETTERS = 100;
const TOPIC_LETTERS = 200;
/** What share of the text one message may take, and the members; and what a message may take in any case, in letters. */
const MESSAGE_SHARE = 1 / 6;
const MEMBERS_SHARE = 1 / 4;
const LEAST_MESSAGE = 80;

/**
 * Tells the model what the bot sees: where it is, who is there, what was said. Everything that comes from others stands
 * behind words of this program, on the same line: a speaker's line begins with the time and `[name]`, the bot's own with
 * the time and `You:`, and no name or message can hold a bare bracket. People of the same name, or one that looks like
 * it, are told apart by user name: `[Ana {ana_92}]`. Keeps to its letters by leaving out the oldest messages.
 */
export function describeScene(scene: Scene, { letters = 6000, memberTokens = 400 }: ContextLimits = {}): GroupContext {
  const words = CONTEXT_WORDS[scene.language];
  const memberLetters = Math.floor(Math.min(memberTokens * CHARS_PER_TOKEN, letters * MEMBERS_SHARE));
  const people = findPeople(scene, memberLetters);
  const labelOf = createLabels(people, scene);
  const lines = new Lines(letters);
  if (lines.add(words.header)) {
    for (const line of describePlace(scene, words)) lines.add(line);
    if (scene.guild) lines.add(describeMembers(people, scene.guild.memberCount, { words, memberLetters, labelOf }));
    addMessages(lines, scene, labelOf);
  }
  return { text: lines.text, labelOf, labels: people.map(labelOf) };
}

/** Lines that keep to a number of letters, line breaks included. */
class Lines {
  #left: number;
  readonly #lines: string[] = [];

  constructor(letters: number) {
    this.#left = letters + 1; // the last line has no break
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  get left(): number {
    return this.#left - 1;
  }

  /** Adds a line; false when there is no room for it. */
  add(line: string): boolean {
    if (line.length + 1 > this.#left) return false;
    this.#left -= line.length + 1;
    this.#lines.push(line);
    return true;
  }
}

/** Those who speak, the latest first, then members, about as many as there is room for; never the bot. */
function findPeople({ self, messages, members }: Scene, memberLetters: number): Person[] {
  const people = new Map<string, Person>();
  for (const { author } of messages.toReversed()) {
    if (author.id !== self.id && !people.has(keyOf(author))) people.set(keyOf(author), author);
  }
  let left = memberLetters;
  for (const member of members) {
    if (left <= 0) break;
    if (member.id === self.id || people.has(member.id)) continue;
    people.set(member.id, member);
    left -= bracketed(safeName(member)).length + 1;
  }
  return [...people.values()];
}

/** One webhook speaks for many, told apart by nothing but their names. */
function keyOf({ id, name, isWebhook }: Person): string {
  return isWebhook === true ? `${id} ${name}` : id;
}

/** Stands for the owners of a name that several people have. */
const SEVERAL = "";

/** Gives everybody a name that only they have. */
function createLabels(people: readonly Person[], { self, names }: Scene): (person: Person) => string {
  const owners = new Map<string, string>(); // by folded name
  const own = (name: string, key: string) => {
    const folded = fold(name);
    owners.set(folded, (owners.get(folded) ?? key) === key ? key : SEVERAL);
  };
  for (const name of [self.username, names.user(self.id) ?? self.username]) own(name, self.id);
  for (const person of people) own(safeName(person), keyOf(person));
  const make = (person: Person) => {
    const name = safeName(person);
    const isAlone = (owners.get(fold(name)) ?? keyOf(person)) === keyOf(person);
    const marks = [
      ...(isAlone ? [] : [safeName({ ...person, name: person.username })]),
      ...(person.isBot || person.isWebhook === true ? ["bot"] : []),
    ];
    return marks.length === 0 ? name : `${name} {${marks.join(", ")}}`;
  };
  const labels = new Map(people.map((person) => [keyOf(person), make(person)])); // many lines have few speakers
  return (person) => labels.get(keyOf(person)) ?? make(person);
}

/** What two names have in common that a reader could take for the same. */
function fold(name: string): string {
  const letters = plain(name.normalize("NFKC")).replace(/[^\p{L}\p{N}]+/gu, "");
  return letters === "" ? name : letters;
}

function bracketed(label: string): string {
  return `[${label}]`;
}

function describePlace({ guild, channel, parent, self, names }: Scene, words: Words): string[] {
  const line = (word: string, text: string | undefined, letters = PLACE_LETTERS) => {
    const safe = text === undefined ? "" : safeLine(text, letters);
    return safe === "" ? [] : [`${word}: ${safe}`];
  };
  const isThread = parent !== undefined;
  const own = { ...self, name: names.user(self.id) ?? self.username };
  return [
    ...(guild ? line(words.server, guild.name) : [words.direct]),
    ...line(words.channel, parent && `#${parent.name}`),
    ...(isThread ? line(words.thread, channel?.name) : line(words.channel, channel?.name && `#${channel.name}`)),
    ...line(words.topic, channel?.topic, TOPIC_LETTERS),
    `${words.self}: ${bracketed(safeName(own))}`,
  ];
}

interface MemberOptions {
  readonly words: Words;
  readonly memberLetters: number;
  readonly labelOf: GroupContext["labelOf"];
}

function describeMembers(people: readonly Person[], memberCount: number, options: MemberOptions): string {
  const { words, memberLetters, labelOf } = options;
  const title = `${words.members} (${Math.max(memberCount, 1)})`;
  const shown: string[] = [];
  let left = memberLetters - title.length - words.more(memberCount).length - ": ".length;
  for (const person of people.filter(({ isWebhook }) => isWebhook !== true)) {
    const name = bracketed(labelOf(person));
    left -= name.length + 1;
    if (left < 0) break;
    shown.push(name);
  }
  const others = memberCount - 1 - shown.length; // the bot itself is not listed
  const list = [...shown, ...(others > 0 && shown.length > 0 ? [words.more(others)] : [])];
  return list.length === 0 ? title : `${title}: ${list.join(" ")}`;
}

/** From the latest backwards, until one does not fit. */
function addMessages(lines: Lines, scene: Scene, labelOf: GroupContext["labelOf"]): void {
  const words = CONTEXT_WORDS[scene.language];
  const title = `${words.messages}:`;
  const most = Math.max(LEAST_MESSAGE, Math.floor((lines.left - title.length) * MESSAGE_SHARE));
  const answered = new Set(scene.answeredIds);
  const shown: string[] = [];
  let left = lines.left - title.length;
  for (const message of scene.messages.toReversed()) {
    const line = answered.has(message.id) ? undefined : describeMessage(message, scene, { labelOf, most });
    if (line === undefined) continue;
    left -= line.length + 1;
    if (left < 0) break;
    shown.push(line);
  }
  if (shown.length === 0) return;
  lines.add(title);
  for (const line of shown.reverse()) lines.add(line);
}

interface MessageOptions {
  readonly labelOf: GroupContext["labelOf"];
  /** Letters of its text. */
  readonly most: number;
}

/** `14:03 [Ana] Hola`; undefined for a message of which nothing can be told. */
function describeMessage(message: BufferedMessage, scene: Scene, { labelOf, most }: MessageOptions) {
  const { author, content, attachments, atMs } = message;
  const { language, self, names, now } = scene;
  const { you, files } = CONTEXT_WORDS[language];
  const said = [safeLine(readMentions(content, names), most), attachments > 0 ? files(attachments) : ""];
  const text = said.filter((part) => part !== "").join(" ");
  if (text === "") return undefined;
  const speaker = author.id === self.id ? `${you}:` : bracketed(labelOf(author));
  return `${formatTime(new Date(atMs), now)} ${speaker} ${text}`;
}

/** `14:03`, or `2026-11-28 14:03` on another day; as the clock of this machine shows it. */
function formatTime(time: Date, now: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.toDateString() === now.toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}
