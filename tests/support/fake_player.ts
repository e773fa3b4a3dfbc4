/** Plays one behaviour for one chat request, in any provider's protocol. */
import {
  type Answer,
  type Behaviour,
  type Chat,
  DEFAULT_TOKENS,
  estimateTokens,
  pause,
  type Protocol,
  sendStatus,
} from "./fake_behaviour.ts";
import type { Reply } from "./raw_server.ts";

/** A streamed answer and where it goes wrong. */
interface Plan {
  readonly answer: Answer;
  readonly firstTokenDelayMs?: number | undefined;
  readonly gapMs?: number | undefined;
  readonly splitBytes?: number | undefined;
  readonly batch?: number | undefined;
  /** Steps to play; all when left out. */
  readonly steps?: number;
  /** Put into the stream after so many steps. */
  readonly insert?: { readonly after: number; readonly text: string };
  /**
   * `complete`: finish and proper end. `hold`: finish, then the connection stays open. `end`: proper end without a
   * finish. `cut`: the connection is closed. `stall`: nothing more comes. `repeat`: the steps start over, for ever.
   */
  readonly ending: "complete" | "hold" | "end" | "cut" | "stall" | "repeat";
}

interface Stage {
  readonly chat: Chat;
  readonly protocol: Protocol;
  readonly reply: Reply;
}

/** Plays `behaviour` to its end, or until the client has gone. */
export async function play(behaviour: Behaviour, stage: Stage): Promise<void> {
  const { chat, protocol, reply } = stage;
  switch (behaviour.kind) {
    case "answer":
      return await playPlan({ ...behaviour, answer: answerOf(behaviour, stage), ending: "complete" }, stage);
    case "rejects_prefill":
      if (!endsWithUser(chat)) return await sendStatus(reply, protocol.error(400, chat));
      return await play({ ...behaviour, kind: "answer" }, stage);
    case "finish":
      return await playPlan({ answer: { ...plainAnswer(stage), finish: behaviour.raw }, ending: "complete" }, stage);
    case "big_line":
      return await playPlan({ answer: bigAnswer(behaviour.bytes, stage), ending: "complete" }, stage);
    case "open_after_finish":
      return await playPlan({ answer: plainAnswer(stage), ending: "hold" }, stage);
    case "cut":
    case "stall":
    case "no_finish":
      return await playPlan(brokenOff(behaviour.kind, behaviour.after, stage), stage);
    case "malformed":
    case "error_in_stream":
      return await playPlan(disturbed(behaviour, stage), stage);
    case "status":
      return await sendStatus(reply, { ...protocol.error(behaviour.status, chat), ...behaviour });
    case "blocked_prompt":
      return await sendStatus(reply, protocol.blockedPrompt(chat));
    case "redirect":
      return await sendStatus(reply, {
        status: behaviour.status ?? 307,
        body: "",
        headers: { location: behaviour.to },
      });
    case "silence":
      return await reply.hang();
    case "reset":
      return reply.cut();
    case "raw":
      return await reply.raw(behaviour.bytes);
    case "html":
      return await sendStatus(reply, { status: 200, body: HTML, headers: { "content-type": "text/html" } });
    case "empty":
      return await sendStatus(reply, { status: 200, body: "", headers: { "content-type": protocol.streamType } });
    case "gzip_garbage":
      return await sendStatus(reply, {
        status: 200,
        body: "\u001f this was never compressed ".repeat(20),
        headers: { "content-type": protocol.streamType, "content-encoding": "gzip" },
      });
    case "endless_headers":
      return await playEndless("HTTP/1.1 200 OK\r\n", (at) => `x-filler-${at}: ${"a".repeat(8_000)}\r\n`, reply);
    case "endless_body":
      return await playEndlessBody(behaviour.of ?? "bytes", stage);
  }
}

const HTML = "<!DOCTYPE html><html><head><title>Log in</title></head><body>Welcome to the guest network.</body></html>";

/** Whether the last turn of the conversation is the user's, in any provider's shape. */
function endsWithUser({ body }: Chat): boolean {
  const turns = body["messages"] ?? body["contents"];
  return Array.isArray(turns) && turns.at(-1)?.role === "user";
}

function plainAnswer(stage: Stage): Answer {
  return answerOf({ kind: "answer" }, stage);
}

function answerOf(behaviour: Behaviour & { kind: "answer" }, { chat, protocol }: Stage): Answer {
  const { tokens, thinking = [], toolCalls = [], usage, finish } = behaviour;
  const said = tokens ?? (toolCalls.length > 0 ? [] : DEFAULT_TOKENS);
  const counted = {
    input: estimateTokens(JSON.stringify(chat.body["messages"] ?? chat.body["contents"] ?? "")),
    output: Math.max(1, said.length + thinking.length + toolCalls.length),
    reasoning: thinking.length,
  };
  return {
    tokens: said,
    thinking,
    toolCalls,
    usage: usage === undefined ? counted : usage,
    finish: protocol.finishReason(finish ?? (toolCalls.length > 0 ? "tool_calls" : "stop")),
  };
}

function bigAnswer(bytes: number, stage: Stage): Answer {
  return { ...plainAnswer(stage), tokens: ["x".repeat(bytes), ...DEFAULT_TOKENS] };
}

/** The default answer, made long enough to have something left after `after` tokens. */
function answerBeyond(after: number, stage: Stage): Answer {
  const tokens = [...DEFAULT_TOKENS];
  while (tokens.length <= after) tokens.push(` ${tokens.length}`);
  return { ...plainAnswer(stage), tokens };
}

function brokenOff(kind: "cut" | "stall" | "no_finish", after: number, stage: Stage): Plan {
  return { answer: answerBeyond(after, stage), steps: after, ending: kind === "no_finish" ? "end" : kind };
}

function disturbed(behaviour: Behaviour & { kind: "malformed" | "error_in_stream" }, stage: Stage): Plan {
  const { chat, protocol } = stage;
  const { after } = behaviour;
  const answer = answerBeyond(after, stage);
  if (behaviour.kind === "malformed") {
    return { answer, insert: { after, text: protocol.frame('{"broken": SECRET-CONTENT') }, ending: "complete" };
  }
  const { message = "The model failed while it was answering.", form = "usual" } = behaviour;
  return { answer, steps: after, insert: { after, text: protocol.streamError(chat, message, form) }, ending: "end" };
}

async function playPlan(plan: Plan, stage: Stage): Promise<void> {
  const { chat, protocol, reply } = stage;
  if (chat.stream && protocol.earlyHead) await reply.head(200, { "content-type": protocol.streamType });
  await protocol.prepare?.(chat, reply.gone);
  await pause(plan.firstTokenDelayMs ?? 0, reply.gone);
  if (!chat.stream) return await playWhole(plan, stage);
  if (!protocol.earlyHead) await reply.head(200, { "content-type": protocol.streamType });
  await playStream(plan, stage);
}

async function playStream(plan: Plan, { chat, protocol, reply }: Stage): Promise<void> {
  const { opening, steps, finish, end } = protocol.encode(chat, plan.answer);
  const { gapMs = 0, batch = 1, insert } = plan;
  const last = plan.steps ?? Infinity;
  const writer = new SplitWriter(reply, plan.splitBytes);
  await writer.write(opening);
  let step = 0;
  let waiting = "";
  do {
    for (const text of steps()) {
      if (step >= last || reply.gone.aborted) break;
      if (step > 0) await pause(gapMs, reply.gone);
      if (step === insert?.after) waiting += insert.text;
      waiting += text;
      step++;
      if (step % batch > 0) continue;
      await writer.write(waiting);
      waiting = "";
    }
    if (plan.ending === "repeat") await pause(5, reply.gone);
  } while (plan.ending === "repeat" && !reply.gone.aborted);
  if (insert && insert.after >= step) waiting += insert.text;
  const finished = plan.ending === "complete" || plan.ending === "hold";
  if (finished && gapMs > 0) await pause(gapMs, reply.gone);
  const rest = await writer.drain(waiting + (finished ? finish : "") + (plan.ending === "complete" ? end : ""));
  if (plan.ending === "complete" || plan.ending === "end") return await reply.end(rest);
  await reply.write(rest);
  if (plan.ending === "cut") return reply.cut();
  await reply.hang();
}

/** The reply to a request that asked for no stream. */
async function playWhole({ answer, insert, ending }: Plan, { chat, protocol, reply }: Stage): Promise<void> {
  const finished = ending === "complete" || ending === "hold";
  const body = new TextEncoder().encode(insert?.text ?? JSON.stringify(protocol.single(chat, answer, finished)));
  const headers = { "content-type": "application/json; charset=utf-8" };
  if (ending === "complete" || ending === "end") {
    return await sendStatus(reply, { status: 200, body: new TextDecoder().decode(body), headers });
  }
  await reply.head(200, headers);
  await reply.write(ending === "hold" ? body : body.subarray(0, body.length / 2));
  if (ending === "cut") return reply.cut();
  await reply.hang();
}

async function playEndlessBody(of: "bytes" | "tokens", stage: Stage): Promise<void> {
  const { chat, protocol, reply } = stage;
  if (of === "tokens") {
    const tokens = new Array<string>(400).fill(" más");
    const plan: Plan = { answer: { ...plainAnswer(stage), tokens }, batch: 50, ending: "repeat" };
    return await playPlan(plan, { ...stage, chat: { ...chat, stream: true } });
  }
  const head = `HTTP/1.1 200 OK\r\ncontent-type: ${protocol.streamType}\r\nconnection: close\r\n\r\n`;
  await playEndless(head, () => "a".repeat(8_000), reply);
}

/** Writes about 64 kB every 5 ms until the client leaves. */
async function playEndless(start: string, piece: (at: number) => string, reply: Reply): Promise<void> {
  await reply.raw(start);
  for (let at = 0; !reply.gone.aborted; at += 8) {
    await reply.raw(Array.from({ length: 8 }, (_, offset) => piece(at + offset)).join(""));
    await pause(5, reply.gone);
  }
}

/** Writes a body as it comes, or in pieces of a fixed number of bytes that heed no boundary. */
class SplitWriter {
  readonly #reply: Reply;
  readonly #size: number | undefined;
  #pending: Uint8Array = new Uint8Array(0);

  constructor(reply: Reply, size: number | undefined) {
    this.#reply = reply;
    this.#size = size;
  }

  async write(text: string): Promise<void> {
    if (this.#size === undefined) return await this.#reply.write(text);
    const added = new TextEncoder().encode(text);
    let bytes = new Uint8Array(this.#pending.length + added.length);
    bytes.set(this.#pending);
    bytes.set(added, this.#pending.length);
    for (; bytes.length >= this.#size; bytes = bytes.subarray(this.#size)) {
      await this.#reply.write(bytes.subarray(0, this.#size));
    }
    this.#pending = bytes;
  }

  /** Writes `text` as far as whole pieces go and returns what is left for the caller to send. */
  async drain(text: string): Promise<Uint8Array | string> {
    if (this.#size === undefined) return text;
    await this.write(text);
    return this.#pending;
  }
}
