import { type Command, InvalidArgumentError, Option } from "commander";
import { checkBaseUrl } from "../config/base_url.ts";
import { withRemedy } from "../core/errors.ts";
import { CHAT_ROLES, type CognitiveMode, type Role } from "../core/types.ts";
import type { Agent } from "./agent.ts";
import { ChatClient } from "./chat_client.ts";
import { Conversation } from "./conversation.ts";
import { parseMode } from "./conversation_command.ts";
import type { CurrentSession } from "./session.ts";

interface ChatOptions {
  readonly mode: CognitiveMode;
  readonly role?: Role;
  readonly conversation: string;
  readonly profile?: string;
  readonly api?: string;
}

/** `chat`: a conversation at the terminal. */
export function addChat(program: Command, session: CurrentSession): void {
  program.command("chat")
    .description("Talk to the agent; a line is a message, /help lists what else there is")
    .option("--mode <number>", "1 everything, 2 memory and model, 3 memory alone", parseModeOption, 2)
    .addOption(new Option("--role <role>", "agent role whose model answers").choices(CHAT_ROLES))
    .option("--conversation <id>", "go on with this conversation", "terminal")
    .option("--profile <name>", "use this profile for this run")
    .option("--api <url>", "talk to a running `serve` instead of answering in this process", parseApi)
    .addHelpText(
      "after",
      "\nCtrl-C stops an answer, /quit or Ctrl-D the program. Lines from a pipe are answered one after the other." +
        '\n\nExample:\n  django-agent chat\n  echo "¿Qué sabes del huerto?" | django-agent chat --mode 3',
    )
    .action(async (options: ChatOptions) => {
      await using agent = await session().open({ profile: options.profile, watch: true });
      await agent.chat.prepare();
      const client = await createClient(agent, options);
      using conversation = new Conversation(client, options.mode);
      await conversation.hold();
    });
}

async function createClient(agent: Agent, { api, conversation, role }: ChatOptions): Promise<ChatClient> {
  const common = { conversationId: conversation, role };
  if (api !== undefined) {
    const fetchCounted = (request: Request) => {
      agent.ledger.sent(api, Number(request.headers.get("content-length") ?? 0));
      return fetch(request);
    };
    return new ChatClient({ ...common, fetch: fetchCounted, origin: api, token: agent.env.get("DJANGO_API_TOKEN") });
  }
  const { createLocalApi } = await import("../http/local_api.ts");
  return new ChatClient({ ...common, fetch: createLocalApi(agent), origin: "http://localhost" });
}

function parseModeOption(text: string): CognitiveMode {
  const mode = parseMode(text);
  if (mode === undefined) throw new InvalidArgumentError("It must be 1, 2 or 3.");
  return mode;
}

function parseApi(text: string): string {
  const problem = checkBaseUrl(text, { local: true });
  if (problem) throw new InvalidArgumentError(withRemedy(problem.message, problem.remedy));
  return new URL(text).origin;
}
