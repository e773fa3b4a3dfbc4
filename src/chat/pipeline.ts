import type { PromptFiles, Prompts } from "../config/prompts.ts";
import type { ModelsConfig } from "../config/schema.ts";
import { AgentError, describeFault, EXIT, NoAnswerError } from "../core/errors.ts";
import type { EventBus } from "../core/events.ts";
import { cutText, printable } from "../core/format.ts";
import { Turns } from "../core/turns.ts";
import { detectLanguage, type Language } from "../core/language.ts";
import { roughTokens } from "../core/tokens.ts";
import type { GenerateRequest, ModelResponse, StreamItem } from "../core/types.ts";
import type { Memory, Turn } from "../memory/memory.ts";
import { RECALL_TOKENS, type Recalled } from "../memory/recall.ts";
import { queryTerms } from "../memory/terms.ts";
import type { WorkingMessage } from "../memory/working.ts";
import type { Router } from "../router/router.ts";
import type { Chat, ChatAnswer, ChatItem, ChatRequest } from "./chat.ts";
import { Drafts, nextDraft } from "./drafts.ts";
import { chooseMemories, type Mode, MODES, nameSources, tellMemories } from "./modes.ts";
import { layOut, type PromptParts } from "./prompt.ts";
import { quoteName } from "./quote.ts";
import { withoutWord } from "./silence.ts";
import { VisibleAnswer } from "./visible.ts";
import type { WebResult, WebSearch } from "./web_search.ts";

export interface PipelineOptions {
  readonly router: Pick<Router, "generate" | "stream" | "snapshot">;
  readonly memory: Memory;
  readonly prompts: PromptFiles;
  readonly web: WebSearch;
  readonly events: EventBus;
  /** What counts now. */
  readonly settings: () => ModelsConfig["chat"];
}

/** What an answer is made from. */
interface Grounds {
  readonly mode: Mode;
  readonly language: Language;
  readonly prompts: Prompts;
  readonly turn: Turn;
  readonly recalled: readonly Recalled[];
  readonly web: readonly WebResult[] | null | undefined;
}

interface NoteOptions {
  /** Whether the agent has come to its end, with words or without. */
  readonly answered: boolean;
  readonly recited?: boolean;
}

/** What was said, by whom, and what it could draw on. */
interface Said {
  readonly silent: boolean;
  readonly content: string;
  /** Null when no model was asked. */
  readonly response: ModelResponse | null;
  readonly history: readonly WorkingMessage[];
  readonly recalled: readonly Recalled[];
  readonly web: Grounds["web"];
}

type Ask = (request: GenerateRequest) => AsyncIterable<StreamItem>;

/** Letters of a message, and of its answer, that are kept as long as a conversation goes on, and for good. */
const SAID_LETTERS = 16_000;
const KEPT_LETTERS = 4000;
/** A question with fewer words to look for is about what was asked before. */
const LEAST_TERMS = 2;

/**
 * From a message to its answer: recall, prompt, model, what a reader may see of it, memory. One message of a
 * conversation after the other; conversations side by side.
 */
export class Pipeline implements Chat {
  readonly #options: PipelineOptions;
  readonly #turns = new Turns("Too many messages wait in this conversation already");
  readonly #drafts: Drafts;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#drafts = new Drafts(() => options.router.snapshot);
  }

  async prepare(): Promise<void> {
    await this.#options.prompts.current();
  }

  async answer(request: ChatRequest): Promise<ChatAnswer> {
    const { router } = this.#options;
    for await (const item of this.#converse(request, (asked) => asWhole(router, asked))) {
      if (item.type === "done") return item.answer;
    }
    throw new Error("A conversation ended without its answer");
  }

  stream(request: ChatRequest): AsyncGenerator<ChatItem, void, void> {
    const { router } = this.#options;
    return this.#converse(request, (asked) => router.stream(asked));
  }

  async *#converse(asked: ChatRequest, ask: Ask): AsyncGenerator<ChatItem, void, void> {
    const startedAt = performance.now();
    const request = { ...asked, ...cleanUp(asked) };
    if (request.message.trim() === "") throw emptyMessage();
    const { conversation_id, cognitive_mode, role, message, signal } = request;
    const { events } = this.#options;
    events.emit("chat.message_received", { conversation_id, cognitive_mode, role, letters: message.length });
    let turn: Disposable | undefined;
    let state: "busy" | "answered" | "failed" = "busy";
    let answer: ChatAnswer;
    try {
      turn = await this.#turns.take(conversation_id, signal);
      const said = yield* this.#respond(request, ask);
      answer = describeAnswer(request, said, Math.round(performance.now() - startedAt));
      state = "answered";
      this.#announce(answer);
    } catch (error) {
      if (signal.aborted) throw error;
      state = "failed";
      events.emit("agent_state.error", { conversation_id, reason: reasonOf(error) });
      throw error;
    } finally {
      if (state === "busy") events.emit("agent_state.idle", { conversation_id }); // nobody waits for it any more
      turn?.[Symbol.dispose]();
    }
    yield { type: "done", answer };
  }

  #announce(answer: ChatAnswer): void {
    const { events } = this.#options;
    const { conversation_id, cognitive_mode, provider, model, fallback, silent, latency_ms } = answer;
    const knowledge_sources = answer.knowledge_sources.length;
    const told = { conversation_id, cognitive_mode, provider, model, fallback, silent, knowledge_sources, latency_ms };
    events.emit("chat.response_generated", told);
    events.emit("agent_state.idle", { conversation_id });
  }

  async *#respond(request: ChatRequest, ask: Ask): AsyncGenerator<ChatItem, Said, void> {
    const { events } = this.#options;
    const { conversation_id } = request;
    events.emit("agent_state.thinking", { conversation_id });
    const grounds = await this.#ground(request);
    events.emit("agent_state.acting", { conversation_id });
    return grounds.mode.thinks ? yield* this.#think(request, grounds, ask) : yield* this.#recite(request, grounds);
  }

  /** Gathers what is known. */
  async #ground(request: ChatRequest): Promise<Grounds> {
    const { memory, prompts, web } = this.#options;
    const { conversation_id, signal } = request;
    const mode = MODES[request.cognitive_mode];
    const turn = memory.beginTurn(conversation_id);
    // What is only told from memory need not keep the language of the prompts before.
    const asked = mode.thinks || this.#options.settings().language !== "auto"
      ? undefined
      : detectLanguage(request.message);
    const language = asked ?? this.#languageOf(request) ?? DEFAULT_LANGUAGE;
    const { [language]: own } = await prompts.current();
    signal.throwIfAborted();
    const said = mode.thinks ? turn.history : []; // what the model is told anyway
    const text = subjectOf(request, said);
    const spent = said.reduce((sum, { content }) => sum + roughTokens(content), 0);
    // What was said comes first, but must not take all the room there is for what was learned.
    const tokens = RECALL_TOKENS - Math.min(spent, RECALL_TOKENS / 2);
    const [recalled, found] = await Promise.all([
      memory.recall({ text, conversation_id, kinds: mode.recalls, said, tokens, byMeaning: mode.thinks, signal }),
      mode.open ? web.search(text, signal) : undefined,
    ]);
    return { mode, language, prompts: own, turn, recalled, web: found };
  }

  /** A conversation keeps its language: another one would change the beginning of every prompt. */
  #languageOf({ conversation_id, message, context = "" }: ChatRequest): Language | undefined {
    const { memory, settings } = this.#options;
    const { language } = settings();
    if (language !== "auto") return language;
    return memory.working.languageOf(conversation_id) ?? detectLanguage(message) ?? detectLanguage(context);
  }

  /** Answers from memory alone. */
  *#recite(request: ChatRequest, grounds: Grounds): Generator<ChatItem, Said, void> {
    const recalled = chooseMemories(grounds.recalled);
    const content = withoutWord(tellMemories(recalled, grounds.prompts.texts, grounds.language));
    this.#note(request, grounds, content, { answered: true, recited: true });
    yield { type: "start" };
    yield { type: "delta", text: content };
    return { silent: false, content, response: null, history: [], recalled, web: undefined };
  }

  /** Lets a model answer. What a reader has seen of an answer that was cut short is remembered in the conversation. */
  async *#think(request: ChatRequest, grounds: Grounds, ask: Ask): AsyncGenerator<ChatItem, Said, void> {
    const visible = new VisibleAnswer();
    let response: ModelResponse | undefined;
    let parts = partsOf(request, grounds);
    try {
      for await (const item of this.#ask(request, grounds, ask, (fitted) => parts = fitted)) {
        if (item.type === "start") yield { type: "start" };
        else if (item.type === "done") response = item.response;
        else if (item.type === "text") {
          const text = visible.push(item.text);
          if (text !== "") yield { type: "delta", text };
        }
      }
    } finally {
      if (!response) this.#note(request, grounds, visible.shown.trim(), { answered: false });
    }
    if (!response) throw new Error("A stream ended without its response");
    const { silent, text, rest } = visible.end();
    // Before the last of it goes out: whoever hangs up then has read it all. What was said to it is remembered also when
    // it has nothing to say.
    this.#note(request, grounds, text, { answered: true });
    this.#keep(request, grounds, text);
    if (rest !== "") yield { type: "delta", text: rest };
    const { history, notes: { recalled, web } } = parts;
    return { silent, content: text, response, history, recalled, web };
  }

  /** Asks with one draft after the other, until one leads to an answer. */
  async *#ask(
    request: ChatRequest,
    grounds: Grounds,
    ask: Ask,
    onAsk: (parts: PromptParts) => void,
  ): AsyncGenerator<StreamItem, void, void> {
    const { conversation_id, role, signal } = request;
    const drafts = this.#drafts.of(partsOf(request, grounds), role);
    for (let draft = drafts[0]; draft;) {
      onAsk(draft);
      const messages = layOut(draft);
      let begun = false;
      try {
        for await (const item of ask({ messages, role, conversation_id, signal })) {
          begun = true;
          if (item.type === "done") {
            this.#drafts.learn(item.response, messages);
            if (draft === drafts[0]) this.#shorten(request, grounds);
          }
          yield item;
        }
        return;
      } catch (error) {
        draft = begun ? undefined : nextDraft(drafts, draft, error);
        if (!draft) throw error;
      }
    }
  }

  /**
   * Drops for good what has hardly any room left beside it, a large step at a time: what is dropped for one message only
   * would have every prompt from then on begin differently.
   */
  #shorten(request: ChatRequest, grounds: Grounds): void {
    const { role, conversation_id } = request;
    const bare = { ...request, message: "", context: undefined, images: [] };
    const lasting = this.#drafts.lastingHistory(partsOf(bare, { ...grounds, recalled: [], web: undefined }), role);
    if (lasting === grounds.turn.history.length) return;
    this.#options.memory.working.keepLast(conversation_id, lasting);
  }

  /** Remembers what was said, and the answer if there is one, as long as the conversation goes on. */
  #note(request: ChatRequest, { turn }: Grounds, content: string, { answered, recited = false }: NoteOptions): void {
    const { memory } = this.#options;
    const { conversation_id, user } = request;
    if ((content === "" && !answered) || !memory.mayRemember(conversation_id, turn)) return;
    const at_ms = Date.now();
    const said = { content: shorten(attribute(request), SAID_LETTERS), user_id: user?.id ?? null, at_ms, recited };
    const reply = { content: shorten(content, SAID_LETTERS), user_id: null, at_ms, recited };
    memory.working.add(conversation_id, [
      { role: "user", ...said },
      ...(content === "" ? [] : [{ role: "assistant" as const, ...reply }]),
    ], this.#languageOf(request));
  }

  /** Remembers it for good. */
  #keep(request: ChatRequest, { turn }: Grounds, content: string): void {
    const { conversation_id, user } = request;
    const { memory, settings } = this.#options;
    if (content === "" || !settings().remember_exchanges || !memory.mayRemember(conversation_id, turn)) return;
    const text = [attribute(request), content].map((part) => `— ${shorten(part, KEPT_LETTERS)}`).join("\n");
    memory.remember({ conversation_id, user_id: user?.id ?? null, text, at_ms: Date.now() }, turn);
  }
}

/** When nothing tells: that of the source system's users. */
const DEFAULT_LANGUAGE: Language = "es";

function shorten(text: string, letters: number): string {
  return text.length <= letters ? text : `${cutText(text, letters)} …`;
}

/** A message with the name of whoever said it, where that is known and not in it already. */
function attribute({ message, user }: ChatRequest): string {
  const name = user === undefined ? "" : quoteName(user.name);
  return name === "" || message.startsWith("[") ? message : `[${name}] ${message}`;
}

/** What a caller sends as the rest of the program may take it. */
function cleanUp({ message, context }: ChatRequest): Pick<ChatRequest, "message" | "context"> {
  const clean = (text: string) => printable(text.replace(/\r\n?/g, "\n")).toWellFormed();
  const seen = context === undefined ? "" : clean(context);
  return { message: clean(message), context: seen.trim() === "" ? undefined : seen };
}

/** A whole answer in the form of one that comes in pieces. */
async function* asWhole(router: PipelineOptions["router"], request: GenerateRequest): AsyncGenerator<StreamItem> {
  const response = await router.generate(request);
  const { provider, model, fallback, content } = response;
  yield { type: "start", provider, model, fallback };
  yield { type: "text", text: content };
  yield { type: "done", response };
}

function partsOf({ message, user, context, images = [] }: ChatRequest, grounds: Grounds): PromptParts {
  const { mode: { open }, language, prompts, turn: { history }, recalled, web } = grounds;
  const name = user === undefined ? "" : quoteName(user.name);
  const speaker = name === "" ? undefined : name;
  const notes = { now: new Date(), speaker, recalled, open, web, context, unseen: 0 };
  return { prompts, language, history, message, images, notes };
}

/** What a message is about: its own words, or, when there are hardly any, those of the message before too. */
function subjectOf({ message }: ChatRequest, history: readonly WorkingMessage[]): string {
  const own = message.replace(/^\[[^\]\n]{1,100}\] /, ""); // the name of whoever speaks in a channel
  if (queryTerms(own).length >= LEAST_TERMS) return own;
  const before = history.findLast(({ role }) => role === "user");
  return before ? `${own}\n${before.content}` : own;
}

function describeAnswer(request: ChatRequest, said: Said, latency_ms: number): ChatAnswer {
  const { conversation_id, cognitive_mode, context } = request;
  const { silent, content, response, history, recalled, web } = said;
  const saw = response !== null && context !== undefined;
  return {
    content,
    silent,
    conversation_id,
    cognitive_mode,
    provider: response?.provider ?? null,
    model: response?.model ?? null,
    fallback: response?.fallback ?? false,
    knowledge_sources: nameSources({ conversation_id, history: history.length > 0, recalled, web, context: saw }),
    usage: response?.usage ?? null,
    cost_usd: response ? response.cost_usd : 0,
    latency_ms,
  };
}

/** Why there is no answer, for the events: a kind or a name, never what was said. */
function reasonOf(error: unknown): string {
  if (error instanceof NoAnswerError) return error.kind;
  return error instanceof AgentError ? error.name : describeFault(error);
}

function emptyMessage(): AgentError {
  return new AgentError("The message is empty", { exitCode: EXIT.usage, remedy: "Say something." });
}
