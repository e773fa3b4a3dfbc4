import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { AgentError, EXIT, withRemedy } from "../core/errors.ts";
import { formatDuration, formatUsd, printable } from "../core/format.ts";
import type { CognitiveMode } from "../core/types.ts";
import type { ChatClient, HeardAnswer } from "./chat_client.ts";
import { COMMAND_HELP, parseLine } from "./conversation_command.ts";
import { tell, writeOut } from "./output.ts";

/** Lines that the arrow keys bring back; kept in memory only. */
const HISTORY = 500;
/** What ends the program, answer or not. */
const ENDING: readonly Deno.Signal[] = Deno.build.os === "windows" ? [] : ["SIGTERM", "SIGHUP"];

export interface ConversationOptions {
  readonly mode: CognitiveMode;
  readonly id: string;
}

/** A conversation at the terminal, line by line; with a pipe in its place every line of it is a message. */
export class Conversation {
  readonly #client: ChatClient;
  /** Whether somebody types and sees what is typed: it is shown on standard error. */
  readonly #typed = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  readonly #shown = Deno.stdout.isTerminal();
  readonly #lines: Interface;
  readonly #id: string;
  #mode: CognitiveMode;
  #last: HeardAnswer | undefined;
  /** The answer that is coming; undefined while nobody waits for one. */
  #answering: AbortController | undefined;
  /** True once a signal has ended the conversation. */
  #stopped = false;
  readonly #onInterrupt = () => this.#interrupt();
  readonly #onEnd = () => this.#stop();

  constructor(client: ChatClient, { mode, id }: ConversationOptions) {
    this.#client = client;
    this.#mode = mode;
    this.#id = id;
    this.#lines = createInterface({
      input: process.stdin,
      output: process.stderr,
      terminal: this.#typed,
      historySize: HISTORY,
      prompt: "› ",
    });
    this.#lines.on("SIGINT", this.#onInterrupt); // Ctrl-C as a key
    Deno.addSignalListener("SIGINT", this.#onInterrupt);
    for (const signal of ENDING) Deno.addSignalListener(signal, this.#onEnd);
  }

  /** Gives the terminal back. */
  close(): void {
    Deno.removeSignalListener("SIGINT", this.#onInterrupt);
    for (const signal of ENDING) Deno.removeSignalListener(signal, this.#onEnd);
    this.#lines.close();
    process.stdin.pause();
  }

  /** Answers line after line until the last one, or until it is left. @throws AgentError where nobody types */
  async hold(): Promise<void> {
    if (this.#typed) tell("A line is a message; /help lists what else there is.");
    this.#prompt();
    for await (const line of this.#lines) {
      if (this.#stopped || !await this.#tryTo(line)) break;
      this.#prompt();
    }
    if (this.#stopped) throw new AgentError("Stopped", { exitCode: EXIT.interrupted });
  }

  #prompt(): void {
    if (this.#typed && !this.#stopped) this.#lines.prompt();
  }

  /** A person is told of an error and goes on; a script ends with it. */
  async #tryTo(line: string): Promise<boolean> {
    try {
      return await this.#obey(line);
    } catch (error) {
      if (!this.#typed || !(error instanceof AgentError)) throw error;
      tell(printable(`error: ${withRemedy(error.message, error.remedy)}`));
      return true;
    }
  }

  /** False when it is to end. */
  async #obey(line: string): Promise<boolean> {
    const command = parseLine(line);
    switch (command.type) {
      case "say":
        await this.#say(command.message);
        return !this.#stopped;
      case "mode":
        this.#mode = command.mode;
        tell(`mode ${command.mode}`);
        return true;
      case "reset":
        await this.#client.reset();
        tell(`The conversation begins anew. What is kept of it goes with: memory forget --conversation ${this.#id}`);
        return true;
      case "sources":
        tell(describeSources(this.#last));
        return true;
      case "help":
        tell(COMMAND_HELP);
        return true;
      case "unknown":
        tell(printable(command.problem));
        return true;
      case "nothing":
        return true;
      case "quit":
        return false;
    }
  }

  async #say(message: string): Promise<void> {
    const answering = this.#answering = new AbortController();
    let last = "";
    try {
      for await (const heard of this.#client.say(message, this.#mode, answering.signal)) {
        if ("done" in heard) this.#last = heard.done;
        else {
          last = heard.delta;
          writeOut(this.#shown ? printable(last) : last);
        }
      }
      endLine(last);
      if (this.#last) tell(printable(statusLine(this.#last)));
    } catch (error) {
      endLine(last);
      if (!answering.signal.aborted) throw error;
      tell("(stopped)");
    } finally {
      this.#answering = undefined;
    }
  }

  /** Ctrl-C stops an answer, or takes back what was typed; where nobody types it ends all of it. */
  #interrupt(): void {
    if (!this.#typed) return this.#stop();
    if (this.#answering) return this.#answering.abort();
    this.#lines.write(null, { ctrl: true, name: "e" });
    this.#lines.write(null, { ctrl: true, name: "u" });
    tell("\n/quit or Ctrl-D leaves");
    this.#prompt();
  }

  #stop(): void {
    this.#stopped = true;
    this.#answering?.abort();
    this.#lines.close();
  }
}

function endLine(last: string): void {
  if (last !== "" && !last.endsWith("\n")) writeOut("\n");
}

/** `ollama/llama3.2 · mode 2 · 2 sources · $0 · 2.1 s` */
function statusLine(answer: HeardAnswer): string {
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

function describeSources(answer: HeardAnswer | undefined): string {
  if (!answer) return "There is no answer yet.";
  if (answer.knowledge_sources.length === 0) return "The last answer used nothing that is remembered.";
  return answer.knowledge_sources.map(({ kind, source, heading, id }) =>
    printable(
      [kind.replace("_", " "), heading === null ? source : `${source} · ${heading}`, id === null ? "" : `#${id}`]
        .filter((part) => part !== "").join("  "),
    )
  ).join("\n");
}
