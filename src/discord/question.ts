import type { Language } from "../core/language.ts";
import { cutText } from "../core/format.ts";
import type { AgentApi } from "./agent_api.ts";
import { type AttachmentOptions, kindOf, readAttachments } from "./attachments.ts";
import type { ChannelBuffer } from "./buffer.ts";
import { describeScene } from "./context.ts";
import type { Question } from "./conversation.ts";
import type { ChannelMessage, Self } from "./events.ts";
import type { Turn } from "./pending.ts";
import type { Places } from "./places.ts";
import { conversationIdFor, type Names, taggedMessage } from "./readable.ts";
import type { Roster } from "./roster.ts";

export interface QuestionOptions {
  readonly self: Self;
  /** Further names that the bot goes by. */
  readonly selfNames: readonly string[];
  readonly language: Language;
  readonly places: Places;
  readonly roster: Roster;
  readonly buffer: ChannelBuffer;
  readonly api: Pick<AgentApi, "sees">;
  readonly download: AttachmentOptions["download"];
  /** True when the whole of it was too long. */
  readonly isBrief: boolean;
  readonly signal: AbortSignal;
}

/** Letters of a name that the API takes. */
const MOST_NAME = 200;
/** UTF-16 units of a message, and of all files together, when the whole was too long: small models have room for them. */
const BRIEF = { message: 2000, files: 6000 };

/**
 * Makes of what was said what the agent is asked: the messages, what goes with them, and what the bot sees around them
 * at this moment.
 */
export async function writeQuestion({ mode, messages }: Turn, options: QuestionOptions): Promise<Question> {
  const last = messages.at(-1);
  if (!last) throw new Error("A turn without a message");
  const { self, selfNames, language, places, roster, buffer, isBrief } = options;
  const { guildId, channelId, author } = last;
  const channel = places.channelOf(channelId);
  const names = namesIn(guildId, options);
  const scene = describeScene({
    language,
    now: new Date(),
    self,
    guild: places.guildOf(guildId),
    channel,
    parent: places.channelOf(channel?.parentId),
    members: guildId === undefined ? [] : roster.membersOf(guildId),
    messages: buffer.read(channelId),
    answeredIds: messages.map(({ id }) => id),
    names,
  });
  const label = scene.labelOf(author);
  const said = messages.map((message) => taggedMessage(isBrief ? shortened(message) : message, names, label));
  const { text, images } = await readFiles(messages, options);
  return {
    language,
    names: { self: [self.username, ...selfNames], others: scene.labels },
    request: {
      message: [...said, ...(text === "" ? [] : [text])].join("\n"),
      conversation_id: conversationIdFor(last),
      cognitive_mode: mode,
      context: scene.text,
      ...(images.length > 0 && { images }),
      user: { id: `discord:${author.id}`, name: cutText(author.name || author.username || author.id, MOST_NAME) },
    },
  };
}

async function readFiles(messages: readonly ChannelMessage[], options: QuestionOptions) {
  const { language, api, download, isBrief, signal } = options;
  const files = messages.flatMap(({ attachments }) => attachments);
  const seesImages = !isBrief && files.some((file) => kindOf(file) === "image") && await api.sees(signal);
  const mostLetters = isBrief ? { mostLetters: BRIEF.files } : {};
  return await readAttachments(files, { language, seesImages, download, signal, ...mostLetters });
}

function shortened(message: ChannelMessage): ChannelMessage {
  const { content } = message;
  return content.length <= BRIEF.message ? message : { ...message, content: `${cutText(content, BRIEF.message)} …` };
}

/** What ids are called in one server. What things are called in another is nobody's business here. */
function namesIn(guildId: string | undefined, { self, places, roster }: QuestionOptions): Names {
  return {
    user: (id) => id === self.id ? self.username : roster.nameOf(id, guildId),
    role: (id) => places.guildOf(guildId)?.roleNames.get(id),
    channel: (id) => {
      const channel = places.channelOf(id);
      return channel?.guildId === guildId ? channel?.name : undefined;
    },
  };
}
