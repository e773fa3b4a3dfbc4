/// <reference lib="dom" />
import { type Api, readEvents } from "./api.ts";
import type { ChatAnswer } from "./api_types.ts";
import { Observable } from "./observable.ts";

/** A question, and what has come of it. */
export interface Said {
  readonly question: string;
  readonly text: string;
  readonly answer?: ChatAnswer;
  /** Why there is no more of it: somebody stopped it, or something went wrong. */
  readonly ended?: "stopped" | { readonly failure: unknown };
}

export interface Talk {
  readonly said: readonly Said[];
  /** Whether an answer is coming. */
  readonly isBusy: boolean;
  /** What is being written. */
  readonly draft: string;
  /** Cognitive mode, 1 to 3. */
  readonly mode: string;
}

/** One conversation with the agent, whichever view is shown meanwhile. */
export class Conversation {
  readonly talk = new Observable<Talk>({ said: [], isBusy: false, draft: "", mode: "2" });
  readonly #api: Api;
  /** `randomUUID` is missing where the page does not come from this machine. */
  readonly #id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("");
  #leaving = new AbortController();

  constructor(api: Api) {
    this.#api = api;
  }

  write(draft: string): void {
    this.#change({ draft });
  }

  choose(mode: string): void {
    this.#change({ mode });
  }

  stop(): void {
    this.#leaving.abort();
  }

  /** Says what has been written; does nothing while an answer is coming. What was not answered can be sent again. */
  async say(): Promise<void> {
    const { draft, isBusy, said, mode } = this.talk.value;
    const question = draft.trim();
    if (question === "" || isBusy) return;
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    this.#change({ said: [...said, { question, text: "" }], isBusy: true, draft: "" });
    try {
      const body = { message: question, conversation_id: this.#id, cognitive_mode: Number(mode), stream: true };
      await this.#hear(await this.#api.send("POST", "/api/chat", { body, signal }));
    } catch (failure) {
      this.#update({ ended: signal.aborted ? "stopped" : { failure } });
      if (!signal.aborted && this.talk.value.draft === "") this.#change({ draft: question });
    }
    this.#change({ isBusy: false });
  }

  async #hear(response: Response): Promise<void> {
    for await (const event of readEvents(response)) {
      if (!event) continue;
      const { name, data } = event;
      if (name === "error") throw new Error(messageOf(data));
      if (name === "delta") this.#update({ text: (this.talk.value.said.at(-1)?.text ?? "") + (data as Delta).text });
      else {
        const answer = data as ChatAnswer;
        this.#update({ text: answer.content, answer });
      }
    }
    if (!this.talk.value.said.at(-1)?.answer) throw new Error("The answer broke off");
  }

  /** Changes what was said last. */
  #update(part: Partial<Said>): void {
    const { said } = this.talk.value;
    const last = said.at(-1);
    if (last) this.#change({ said: [...said.slice(0, -1), { ...last, ...part }] });
  }

  #change(part: Partial<Talk>): void {
    this.talk.set({ ...this.talk.value, ...part });
  }
}

/** A piece of an answer. */
interface Delta {
  readonly text: string;
}

function messageOf(data: unknown): string {
  const { error } = data as { readonly error?: { readonly message?: unknown } };
  return typeof error?.message === "string" ? error.message : "";
}
