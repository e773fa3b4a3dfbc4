import { createChat } from "./chat.ts";
import { createApi } from "./context.ts";
import { createFaultTeller } from "./fault_teller.ts";
import { createMemory } from "./memory.ts";
import type { Program } from "./program.ts";
import { createRouterStatus } from "./router_status.ts";

/** The part of the API that whoever converses needs, without a socket: nobody else can get at it. */
export function createLocalApi(program: Pick<Program, "chat" | "memory" | "router" | "seal" | "events">): (
  request: Request,
) => Promise<Response> {
  const api = createApi();
  api.use(createFaultTeller(program.events));
  api.route("/", createChat(program.chat));
  api.route("/", createMemory(program.memory));
  api.route("/", createRouterStatus(program));
  return async (request) => await api.fetch(request);
}
