import { createChat } from "./chat.ts";
import { createApi } from "./context.ts";
import { createMemory } from "./memory.ts";
import type { Program } from "./program.ts";

/** The part of the API that one converses through, without a socket: nobody else can get at it. */
export function createLocalApi({ chat, memory }: Pick<Program, "chat" | "memory">): (
  request: Request,
) => Promise<Response> {
  const api = createApi();
  api.route("/", createChat(chat));
  api.route("/", createMemory(memory));
  return async (request) => await api.fetch(request);
}
