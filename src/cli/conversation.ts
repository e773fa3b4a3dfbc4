import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import type { ChatAnswer } from "../chat/chat.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { formatDuration, formatUsd, printable } from "../core/format.ts";
import type { CognitiveMode } from "../core/types.ts";
import type { ChatClient } from "./chat_client.ts";
import { COMMAND_HELP, parseLine } from "./conversation_command.ts";
import { tell, writeOut } from "./output.ts";

/** Lines that the arrow keys bring back; kept in memory only. */
const HISTORY = 500;

/** A conversation at the terminal, line by line; with a pipe in its place every line of it is a message. */
export class Conversation implements Disposable {
  readonly #client: ChatClient;
  readonly #terminal = Deno.stdin.isTerminal();
  readonly #lines: Interface;
  #mode: CognitiveMode;
  #last: ChatAnswer | undefined;
  /** The answer that is coming; undefined while nobody waits for one. */
  #answering: AbortController | undefined;
  /** True once Ctrl-C has ended a conversation that nobody types. */
  #interrupted = false;
  readonly #interrupt = () => this.#stop();

  constructor(client: ChatClient, mode: CognitiveMode) {
    this.#client = client;
    this.#mode = mode;
    this.#lines = createInterface({
      input: process.stdin,
      output: process.stderr,
      terminal: this.#terminal,
      historySize: HISTORY,
      prompt: "› ",
    });
    this.#lines.on("SIGINT", this.#interrupt); // Ctrl-C as a key
    Deno.addSignalListener("SIGINT", this.#interrupt);
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#interrupt);
    this.#lines.close();
    process.stdin.pause();
  }

  /** Answers line after line until the last one, or until it is left. @throws AgentError where nobody types */
  async hold(): Promise<void> {
    if (this.#terminal) tell("A line is a message; /help lists what else there is.");
    this.#prompt();
    for await (const line of this.#lines) {
      if (!await this.#obey(line)) return;
      if (this.#interrupted) break;
      this.#prompt();
    }
    if (this.#interrupted) throw new AgentError("Stopped", { exitCode: EXIT.interrupted });
  }

  #prompt(): void {
    if (this.#terminal) this.#lines.prompt();
  }

  /** False when it is to end. */
  async #obey(line: string): Promise<boolean> {
    const command = parseLine(line);
    switch (command.type) {
      case "say":
        await this.#say(command.message);
        return true;
      case "mode":
        this.#mode = command.mode;
        tell(`mode ${command.mode}`);
        return true;
      case "reset":
        await this.#client.reset();
        tell("What was said in this conversation is forgotten.");
        return true;
      case "sources":
        tell(describeSources(this.#last));
        return true;
      case "help":
        tell(COMMAND_HELP);
        return true;
      case "unknown":
        tell(command.problem);
        return true;
      case "nothing":
        return true;
      case "quit":
        return false;
    }
  }

  async #say(message: string): Promise<void> {
    const answering = this.#answering = new AbortController();
    let shown = "";
    try {
      for await (const heard of this.#client.say(message, this.#mode, answering.signal)) {
        if ("done" in heard) this.#last = heard.done;
        else {
          const text = this.#terminal ? printable(heard.delta) : heard.delta;
          shown += text;
          writeOut(text);
        }
      }
      this.#endLine(shown);
      if (this.#last) tell(statusLine(this.#last));
    } catch (error) {
      this.#endLine(shown);
      if (answering.signal.aborted) tell("(stopped)");
      else if (this.#terminal && error instanceof AgentError) {
        tell(printable(`error: ${error.message}${error.remedy ? `\n→ ${error.remedy}` : ""}`));
      } else throw error;
    } finally {
      this.#answering = undefined;
    }
  }

  #endLine(shown: string): void {
    if (shown !== "" && !shown.endsWith("\n")) writeOut("\n");
  }

  #stop(): void {
    if (!this.#terminal) { // nobody types: there is nothing to go on with
      this.#interrupted = true;
      this.#lines.close();
    }
    if (this.#answering) return this.#answering.abort();
    if (this.#interrupted) return;
    tell("\n/quit or Ctrl-D leaves");
    this.#prompt();
  }
}

/** `ollama/llama3.2 · mode 2 · 2 sources · $0 · 2.1 s` */
function statusLine(answer: ChatAnswer): string {
  const { provider, model, cognitive_mode, knowledge_sources, cost_usd, latency_ms, fallback, silent, content } =
    answer;
  const sources = knowledge_sources.length;
  return [
    ...(silent ? ["(it chose to say nothing)"] : content === "" ? ["(an empty answer)"] : []),
    provider === null ? "memory alone" : `${provider}/${model}${fallback ? " (fallback)" : ""}`,
    `mode ${cognitive_mode}`,
    ...(sources > 0 ? [sources === 1 ? "1 source" : `${sources} sources`] : []),
    ...(provider === null ? [] : [cost_usd === null ? "price unknown" : formatUsd(cost_usd)]),
    formatDuration(latency_ms),
  ].join(" · ");
}

function describeSources(answer: ChatAnswer | undefined): string {
  if (!answer) return "There is no answer yet.";
  if (answer.knowledge_sources.length === 0) return "The last answer used nothing that is remembered.";
  return answer.knowledge_sources.map(({ kind, source, heading, id }) =>
    printable(
      [kind.replace("_", " "), heading === null ? source : `${source} · ${heading}`, id === null ? "" : `#${id}`]
        .filter((part) => part !== "").join("  "),
    )
  ).join("\n");
}
