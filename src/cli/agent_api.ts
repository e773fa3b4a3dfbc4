import { z } from "zod";
import { AgentError, EXIT } from "../core/errors.ts";
import { type AgentApi, TooLongError } from "../discord/agent_api.ts";
import type { ApiCall } from "./chat_api.ts";
import { ApiError, readAll, requireOk } from "./chat_client.ts";

const replySchema = z.object({ content: z.string(), silent: z.boolean() });
const statusSchema = z.object({ vision: z.array(z.string()) });
/** Whose model answers where none is named. */
const ROLE = "identity_core";

/** Codes with which the API says that something is too long. */
const TOO_LONG = new Set(["body_too_large", "context_length_exceeded"]);
/** Longer than the API lets an answer take: whoever waits so long has lost the connection and does not know it. */
const LONGEST_MS = 1_800_000;

/** The agent behind its HTTP API, as the bot sees it. */
export function createAgentApi(call: ApiCall, { longestMs = LONGEST_MS } = {}): AgentApi {
  const ask = async (path: string, body: object | undefined, signal: AbortSignal) => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), longestMs);
    try {
      const reply = await call(path, body, AbortSignal.any([signal, late.signal]));
      await requireOk(reply);
      return await readAll(reply.pieces);
    } catch (error) {
      if (error instanceof ApiError && TOO_LONG.has(error.code)) throw new TooLongError(error.message);
      if (signal.aborted || !late.signal.aborted) throw error;
      throw new AgentError("The API does not answer any more", { exitCode: EXIT.unavailable });
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    async chat(request, signal) {
      const { success, data } = replySchema.safeParse(parse(await ask("/api/chat", request, signal)));
      if (success) return data;
      throw new AgentError("What the API answered is no answer of this program", { exitCode: EXIT.unavailable });
    },
    async sees(signal) {
      const { success, data } = statusSchema.safeParse(parse(await ask("/api/router/status", undefined, signal)));
      return success && data.vision.includes(ROLE);
    },
    async clear(conversationId, signal) {
      await ask("/api/memory/working/clear", { conversation_id: conversationId }, signal);
    },
    async forgetUser(userId, signal) {
      await ask("/api/memory/forget", { user_id: userId }, signal);
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
