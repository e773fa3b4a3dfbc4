/** Who is owed an answer on the fake Discord, and what came: none may be missing, none may come twice. */
import type { FakeRest } from "../support/fake_bot_rest.ts";

/** What is owed: an answer by the model, one by the bot itself, or, for what is deleted again, one by the model at most. */
export type Owed = "by the model" | "by the bot" | "at most one";

/** What came of all that was asked. */
export interface Replies {
  /** Messages and commands that were for the bot. */
  readonly asked: number;
  readonly answered: number;
  readonly lost: number;
  readonly doubled: number;
  /** Answers to what nobody asked, and excuses where the model should have answered. */
  readonly wrong: number;
  /** Answers that the model gave. */
  readonly byModel: number;
  /** Questions that were taken back, of which nobody can know whether the model was asked. */
  readonly takenBack: number;
}

/** How the fake model's answers begin. */
const WORDS_OF_THE_MODEL = "palabra palabra";

export class ReplyLedger {
  readonly #rest: FakeRest;
  readonly #owed = new Map<string, Owed>();
  /** Answers by what they answer: the id of a message, or the token of a command. */
  readonly #answers = new Map<string, number>();
  readonly #missing = new Set<string>();
  #messagesRead = 0;
  #wrong = 0;

  constructor(rest: FakeRest) {
    this.#rest = rest;
  }

  owe(key: string, owed: Owed): void {
    this.#owed.set(key, owed);
    if (owed !== "at most one") this.#missing.add(key);
  }

  /** Takes in what the bot has posted since; gives how many answers are missing. */
  missing(): number {
    const { messages, answers, calls } = this.#rest;
    for (const { payload } of messages.slice(this.#messagesRead)) this.#take(payload);
    this.#messagesRead = messages.length;
    for (const { interactionToken } of answers) this.#missing.delete(interactionToken);
    calls.length = 0; // nobody looks at them, and they would be hundreds of thousands
    return this.#missing.size;
  }

  get summary(): Replies {
    this.missing();
    for (const { interactionToken, contents } of this.#rest.answers) {
      this.#answers.set(interactionToken, contents.length);
    }
    const owed = [...this.#owed].map(([key, kind]) => ({ kind, answers: this.#answers.get(key) ?? 0 }));
    const count = (is: (each: typeof owed[number]) => boolean) => owed.filter(is).length;
    return {
      asked: owed.length,
      answered: count(({ answers }) => answers > 0),
      lost: count(({ kind, answers }) => kind !== "at most one" && answers === 0),
      doubled: count(({ answers }) => answers > 1),
      wrong: this.#wrong,
      byModel: count(({ kind, answers }) => kind !== "by the bot" && answers > 0),
      takenBack: count(({ kind }) => kind === "at most one"),
    };
  }

  #take(payload: Readonly<Record<string, unknown>>): void {
    const reference = Object(payload["message_reference"])["message_id"];
    const owed = this.#owed.get(reference);
    const isByModel = String(payload["content"]).startsWith(WORDS_OF_THE_MODEL);
    if (owed === undefined || (owed === "by the bot") === isByModel) this.#wrong++;
    this.#answers.set(reference, (this.#answers.get(reference) ?? 0) + 1);
    this.#missing.delete(reference);
  }
}
