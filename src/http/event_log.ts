import type { AgentEvent, EventBus } from "../core/events.ts";

/** An event as it is shown outside. */
export interface LoggedEvent {
  /** Ascending within one run of the program; another run has other ids. */
  readonly id: string;
  /** ISO 8601 */
  readonly at: string;
  readonly name: AgentEvent["name"];
  readonly data: AgentEvent["data"];
}

/** Events that are kept for whoever comes later. */
const KEPT = 100;

/** Remembers the latest events and hands new ones on. */
export class EventLog implements Disposable {
  readonly #run = Date.now().toString(36);
  #count = 0;
  readonly #recent: LoggedEvent[] = [];
  readonly #listeners = new Set<(event: LoggedEvent) => void>();
  readonly #unsubscribe: () => void;

  constructor(events: Pick<EventBus, "subscribe">) {
    this.#unsubscribe = events.subscribe((event) => this.#add(event));
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  /** The last hundred, oldest first. */
  get recent(): readonly LoggedEvent[] {
    return this.#recent;
  }

  /** What came after the event of that id; everything that is kept when the id is not known any more. */
  since(id: string): readonly LoggedEvent[] {
    const index = this.#recent.findIndex((event) => event.id === id);
    return this.#recent.slice(index + 1);
  }

  subscribe(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #add({ name, data }: AgentEvent): void {
    const event = { id: `${this.#run}-${++this.#count}`, at: new Date().toISOString(), name, data };
    this.#recent.push(event);
    if (this.#recent.length > KEPT) this.#recent.shift();
    for (const listener of this.#listeners) listener(event);
  }
}
