import { AgentError, EXIT } from "../core/errors.ts";
import { type Delivered, DeliveryError } from "../discord/delivery.ts";
import type { Post } from "../discord/message.ts";
import { tell, writeJson, writeOut } from "./output.ts";
import { isAddress } from "./post_options.ts";
import type { PostRun } from "./post_run.ts";
import { continueLine } from "./post_view.ts";
import { ResultError } from "./result_error.ts";

/** Stands for the id of a thread that has begun, as far as is known, and that the server did not name. */
const UNKNOWN_THREAD = "THREAD_ID";

/** What has been done so far, told as it is done. */
export class PostReport {
  readonly #run: PostRun;
  readonly #total: number;
  readonly #beginsThread: boolean;
  readonly #done: Delivered[] = [];
  #isPrinting: boolean;
  #error: AgentError | undefined;

  constructor(posts: readonly Post[], run: PostRun) {
    this.#run = run;
    this.#total = Math.max(1, posts.length);
    this.#beginsThread = typeof posts[0]?.message.thread_name === "string";
    this.#isPrinting = !run.options.jsonOutput && this.#verb === "sent";
  }

  add(delivered: Delivered): void {
    this.#done.push(delivered);
    if (this.#isPrinting && delivered.id !== undefined) this.#write(() => writeOut(`${delivered.id}\n`));
  }

  fail(error: AgentError): void {
    this.#error = error;
  }

  /** @throws AgentError when not everything was done */
  conclude(): void {
    if (this.#error) throw this.#failure(this.#error);
    if (this.#run.options.jsonOutput) {
      this.#write(() => writeJson({ outcome: this.#verb, ...this.#document }));
      return;
    }
    const many = this.#done.length > 1 ? ` ${this.#done.length} messages` : "";
    const thread = this.#beginsThread ? this.#done[0]?.channelId : undefined;
    const unnamed = this.#verb === "sent" && this.#done.some(({ id }) => id === undefined);
    tell([
      `${this.#verb}${many}`,
      ...(thread === undefined ? [] : [`, thread ${thread}`]),
      ...(unnamed ? ["; the server did not say the id of every message"] : []),
    ].join(""));
  }

  get #verb(): "sent" | "edited" | "deleted" {
    const { options } = this.#run;
    return options.delete !== undefined ? "deleted" : options.edit !== undefined ? "edited" : "sent";
  }

  get #document() {
    const { skip } = this.#run;
    return {
      parts: this.#total,
      skipped: skip,
      messages: this.#done.map(({ id, channelId }, index) => ({
        part: skip + index + 1,
        id: id ?? null,
        channel_id: channelId ?? null,
      })),
    };
  }

  /** ` (id, id)` of the messages of this run. */
  get #ids(): string {
    const ids = this.#done.flatMap(({ id }) => id ?? []);
    return ids.length === 0 ? "" : ` (${ids.join(", ")})`;
  }

  /** That nobody takes what is written changes nothing about what has been done, nor about the exit code of that. */
  #write(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#isPrinting = false;
      if (error instanceof AgentError) tell(`${error.message}. What has been done so far: ${this.#verb}${this.#ids}`);
    }
  }

  #failure(error: AgentError): AgentError {
    const there = this.#run.skip + this.#done.length;
    const mayHaveArrived = error instanceof DeliveryError && error.mayHaveArrived;
    const isPartial = there > 0;
    const rest = this.#total > 1 && (isPartial || mayHaveArrived) ? this.#continuation(there) : undefined;
    const message = isPartial ? `${this.#progress(there)}. The next: ${error.message}` : error.message;
    const exitCode = isPartial ? EXIT.partial : error.exitCode;
    const advice = rest === undefined ? [] : [this.#advice(rest, mayHaveArrived)];
    const remedy = [error.remedy ?? [], advice].flat().join("\n→ ");
    if (!this.#run.options.jsonOutput) return new AgentError(message, { exitCode, remedy, cause: error });
    const failure = { message, exit_code: exitCode, remedy: error.remedy ?? null, may_have_arrived: mayHaveArrived };
    const outcome = isPartial ? "partly_sent" : mayHaveArrived ? "unknown" : "failed";
    this.#write(() => writeJson({ outcome, ...this.#document, continue: rest ?? null, error: failure }));
    return new ResultError(message, { exitCode, remedy });
  }

  #progress(there: number): string {
    if (this.#run.skip === 0) return `Sent ${there} of ${this.#total} messages${this.#ids}`;
    return `Sent ${this.#done.length} more${this.#ids}, so that ${there} of ${this.#total} messages are there`;
  }

  #continuation(there: number): string {
    const { threadId, options, textSource, dataDir } = this.#run;
    const more = { readsStdin: textSource === "stdin" || textSource === "argument", dataDir };
    if (!this.#beginsThread) return continueLine(options, { ...more, skip: there, threadId });
    // The first message begins the thread, so whatever follows needs to know it.
    const begun = this.#done[0]?.channelId ?? UNKNOWN_THREAD;
    return continueLine(options, { ...more, skip: Math.max(1, there), threadId: begun });
  }

  #advice(line: string, mayHaveArrived: boolean): string {
    const { options: { webhook }, textSource } = this.#run;
    const isFirst = this.#beginsThread && this.#done.length === 0;
    const needs = [
      ...(textSource === "stdin" || textSource === "argument" ? [", with the same text on standard input"] : []),
      ...(webhook !== undefined && isAddress(webhook) ? [", with the webhook in DISCORD_WEBHOOK_URL"] : []),
      ...(line.includes(UNKNOWN_THREAD) ? [`, with the id of its thread for ${UNKNOWN_THREAD}`] : []),
      ...(mayHaveArrived && !isFirst ? [", and skip one more if that message is there"] : []),
    ];
    return `${isFirst ? "If it is there, go" : "Go"} on like this${needs.join("")}:\n  ${line}`;
  }
}
