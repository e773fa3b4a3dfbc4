import type { Priority } from "../core/types.ts";

export interface QueueSettings {
  /** Calls that may run at once. */
  readonly maxConcurrent: number;
  /** Calls of one priority that may wait; one more is turned away. */
  readonly maxWaiting: number;
}

/** Gives the place back. Calling it again has no effect. */
export type Release = () => void;

/** After so many interactive calls in a row a waiting background call gets its turn, lest it wait for ever. */
const INTERACTIVE_STREAK = 8;

interface Waiter {
  readonly grant: (release: Release) => void;
}

/**
 * Places at one provider. First come, first served within a priority; interactive before background; a call that
 * arrives never overtakes one that waits with the same priority.
 */
export class CallQueue {
  #settings: QueueSettings;
  #running = 0;
  #streak = 0;
  readonly #waiting: Record<Priority, Set<Waiter>> = { interactive: new Set(), background: new Set() };

  constructor(settings: QueueSettings) {
    this.#settings = settings;
  }

  /** Takes over new limits; running and waiting calls keep their places. */
  configure(settings: QueueSettings): void {
    this.#settings = settings;
    this.#grantWaiting();
  }

  get running(): number {
    return this.#running;
  }

  /** Calls that wait for a place. */
  get depth(): number {
    return this.#waiting.interactive.size + this.#waiting.background.size;
  }

  /**
   * A place, at once when one is free, else as soon as it is this call's turn. Null when too many wait already.
   * @throws the signal's reason when it aborts while waiting.
   */
  acquire(priority: Priority, signal: AbortSignal): Release | Promise<Release> | null {
    signal.throwIfAborted();
    if (this.#running < this.#settings.maxConcurrent && this.depth === 0) return this.#take();
    const line = this.#waiting[priority];
    if (line.size >= this.#settings.maxWaiting) return null;
    return new Promise((resolve, reject) => {
      const leave = () => {
        line.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        grant: (release) => {
          signal.removeEventListener("abort", leave);
          resolve(release);
        },
      };
      line.add(waiter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #take(): Release {
    this.#running++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running--;
      this.#grantWaiting();
    };
  }

  #grantWaiting(): void {
    while (this.#running < this.#settings.maxConcurrent) {
      const line = this.#nextLine();
      const [waiter] = line;
      if (!waiter) return;
      line.delete(waiter);
      waiter.grant(this.#take());
    }
  }

  #nextLine(): Set<Waiter> {
    const { interactive, background } = this.#waiting;
    if (interactive.size === 0 || (background.size > 0 && this.#streak >= INTERACTIVE_STREAK)) {
      this.#streak = 0;
      return background;
    }
    this.#streak++;
    return interactive;
  }
}
