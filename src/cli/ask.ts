import { AgentError, EXIT } from "../core/errors.ts";
import { formatDuration, formatUsd, printable } from "../core/format.ts";
import { CHAT_ROLES, type GenerateRequest, type ModelResponse, type Role } from "../core/types.ts";
import type { Router } from "../router/router.ts";
import { choice, createCommand, flag, option } from "./command.ts";
import { tell, writeJson, writeOut } from "./output.ts";
import { readStdin } from "./stdin.ts";
import { listenForStop } from "./stop.ts";

/** Largest prompt read from standard input, in bytes: more than the largest context window in use can hold. */
const MAX_PROMPT_BYTES = 16 * 1024 * 1024;

interface AskOptions {
  readonly role?: Role;
  readonly model?: string;
  readonly profile?: string;
  readonly system?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly json?: true;
  readonly stream: boolean;
}

/** `ask`: one generation through the router. */
export const ask = createCommand<AskOptions>({
  brief: "Ask once; the answer streams to standard output",
  takes: [{ label: "[prompt]", brief: "the question; - reads it from standard input" }],
  options: {
    role: choice("<role>", "agent role whose model answers", CHAT_ROLES),
    model: option("<provider/model>", "ask this model first instead of the role's"),
    profile: option("<name>", "use this profile for this run"),
    system: option("<text>", "system prompt"),
    temperature: option("<number>", "0 is sober, 2 is wild", { parse: parseTemperature }),
    "max-tokens": option("<count>", "longest answer in tokens", { parse: parseCount }),
    json: flag("print the whole response as JSON and nothing else"),
    "no-stream": flag("print the answer when it is complete; one that breaks off is begun again elsewhere"),
  },
  examples: [
    'django-agent ask --role technical "What does SIGPIPE mean?"',
    'cat notes.md | django-agent ask - --system "Summarise in five lines"',
  ],
  async run(session, options, [prompt]) {
    const asked = requestOf(await promptOf(prompt), options);
    await using agent = await session.open({ profile: options.profile });
    using stop = listenForStop();
    const request = { ...asked, signal: stop.signal };
    if (options.json) writeJson(await agent.router.generate(request));
    else if (options.stream) await streamAnswer(agent.router, request);
    else printAnswer(await agent.router.generate(request));
  },
});

function requestOf(prompt: string, { role, model, system, temperature, maxTokens }: AskOptions): GenerateRequest {
  return {
    prompt,
    ...(role && { role }),
    ...(model !== undefined && { model }),
    ...(system !== undefined && { system_prompt: system }),
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
  };
}

async function promptOf(argument: string | undefined): Promise<string> {
  if (argument !== undefined && argument !== "-") return argument;
  if (argument === undefined && Deno.stdin.isTerminal()) {
    throw new AgentError("There is no prompt", {
      exitCode: EXIT.usage,
      remedy: 'Give one: django-agent ask "Hola, ¿quién eres?"; or - to read it from standard input.',
    });
  }
  return await readStdin("The prompt", MAX_PROMPT_BYTES);
}

async function streamAnswer(router: Router, request: GenerateRequest): Promise<void> {
  const terminal = Deno.stdout.isTerminal();
  let atLineStart = true;
  try {
    for await (const item of router.stream(request)) {
      if (item.type === "text") {
        writeOut(terminal ? printable(item.text) : item.text);
        atLineStart = item.text.endsWith("\n");
      } else if (item.type === "done") {
        endLine(terminal && !atLineStart);
        atLineStart = true;
        tell(statusLine(item.response));
      }
    }
  } finally {
    endLine(terminal && !atLineStart);
  }
}

function printAnswer(response: ModelResponse): void {
  const terminal = Deno.stdout.isTerminal();
  writeOut(terminal ? printable(response.content) : response.content);
  endLine(terminal && !response.content.endsWith("\n"));
  tell(statusLine(response));
}

function endLine(needed: boolean): void {
  if (needed) writeOut("\n");
}

/** `ollama/llama3.2 · 26 + 112 tokens · $0 · 2.1 s, first token 400 ms` */
function statusLine(response: ModelResponse): string {
  const { provider, model, usage, latency_ms, first_token_ms, fallback, finish_reason, content, tool_calls } = response;
  const approximately = usage.source === "estimated" ? "about " : "";
  return [
    `${provider}/${model}`,
    `${approximately}${usage.input} + ${usage.output} tokens`,
    response.cost_usd === null ? "price unknown" : formatUsd(response.cost_usd),
    `${formatDuration(latency_ms)}, first token ${formatDuration(first_token_ms)}`,
    ...(finish_reason === "length" ? ["cut at the token limit"] : []),
    ...(content === "" ? [tool_calls ? "answered with tool calls only" : "an empty answer"] : []),
    ...(fallback ? [`fallback: ${failures(response)}`] : []),
  ].join(" · ");
}

function failures({ attempts }: ModelResponse): string {
  return attempts.filter(({ outcome }) => outcome !== "ok")
    .map(({ provider, model, error_kind }) => `${provider}/${model} ${error_kind}`).join(", ");
}

function parseTemperature(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 2)) {
    throw new RangeError("It must be a number from 0 to 2.");
  }
  return value;
}

function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError("It must be a whole number above 0.");
  return value;
}
