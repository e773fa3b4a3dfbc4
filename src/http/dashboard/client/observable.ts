import { useEffect, useState } from "preact/hooks";

/** A value that changes, and tells so. */
export class Observable<T> {
  readonly #listeners = new Set<() => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after every change until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The value as it is now; the component is drawn anew whenever it changes. */
export function useValue<T>(observable: Observable<T>): T {
  const [, redraw] = useState(0);
  const { value } = observable;
  useEffect(() => {
    const draw = () => redraw((count) => count + 1);
    if (observable.value !== value) draw(); // it has changed since it was drawn
    return observable.subscribe(draw);
  }, [observable]);
  return value;
}
