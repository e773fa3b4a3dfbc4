import { checkBaseUrl } from "../config/base_url.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { CHAT_ROLES, type CognitiveMode, type Role } from "../core/types.ts";
import { plainName } from "../memory/documents.ts";
import type { Agent } from "./agent.ts";
import { readApiToken } from "./api_token.ts";
import { ChatClient } from "./chat_client.ts";
import { Conversation } from "./conversation.ts";
import { parseMode } from "./conversation_command.ts";
import { type ApiCall, createLocalCall, createRemoteCall } from "./chat_api.ts";
import { choice, createCommand, option } from "./command.ts";
import { refuseTogether } from "./usage_error.ts";

interface ChatOptions {
  readonly mode: CognitiveMode;
  readonly role?: Role;
  readonly conversation: string;
  readonly profile?: string;
  readonly api?: string;
}

/** `chat`: a conversation at the terminal. */
export const chat = createCommand<ChatOptions>({
  brief: "Talk to the agent; a line is a message, /help lists what else there is",
  options: {
    mode: option("<number>", "1 everything, earlier talks too; 2 what was taught, and the model; 3 memory alone", {
      parse: parseModeOption,
      fallback: 2,
    }),
    role: choice("<role>", "agent role whose model answers", CHAT_ROLES),
    conversation: option("<id>", "go on with this conversation", { parse: parseConversation, fallback: "terminal" }),
    profile: option("<name>", "use this profile for this run"),
    api: option("<url>", "talk to a running `serve` instead of answering in this process"),
  },
  notes: "Ctrl-C stops an answer, /quit or Ctrl-D the program. Lines from a pipe are answered one after the other.",
  examples: ["django-agent chat", 'echo "¿Qué sabes del huerto?" | django-agent chat --mode 3'],
  async run(session, options) {
    refuseTogether("--profile", options.profile, "--api", options.api);
    const api = options.api === undefined ? undefined : parseApi(options.api);
    await using agent = await session.open({ profile: options.profile, watch: true });
    await agent.chat.prepare();
    const { conversation: conversationId, role, mode } = options;
    const client = new ChatClient({ call: await createCall(agent, api), conversationId, role });
    // Not `using`: see src/README.md, decisions.
    const conversation = new Conversation(client, { mode, id: conversationId });
    try {
      await conversation.hold();
    } finally {
      conversation.close();
    }
  },
});

async function createCall(agent: Agent, api: string | undefined): Promise<ApiCall> {
  if (api !== undefined) {
    return createRemoteCall({ origin: api, token: readApiToken(agent.env), ledger: agent.ledger });
  }
  const { createLocalApi } = await import("../http/local_api.ts");
  return createLocalCall(createLocalApi(agent));
}

function parseModeOption(text: string): CognitiveMode {
  const mode = parseMode(text);
  if (mode === undefined) throw new RangeError("It must be 1, 2 or 3.");
  return mode;
}

function parseConversation(text: string): string {
  if (plainName(text) === "" || plainName(text) !== text) {
    throw new RangeError("It must be a name on one line.");
  }
  return text;
}

/** Not repeated in the message: it may hold a password. */
function parseApi(text: string): string {
  const problem = checkBaseUrl(text, { local: true });
  if (!problem) return new URL(text).origin;
  throw new AgentError(`Cannot use --api: ${problem.message}`, {
    exitCode: EXIT.usage,
    remedy: "Give the address that `serve` names, like http://127.0.0.1:8000.",
  });
}
