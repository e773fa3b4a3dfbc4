/// <reference lib="dom" />
import { type Api, readEvents } from "./api.ts";
import type { Health, LoggedEvent, Privacy, RouterStatus } from "./api_types.ts";
import { Observable } from "./observable.ts";

/** What the page knows of the program. */
export interface Known {
  readonly health: Health | undefined;
  readonly router: RouterStatus | undefined;
  readonly privacy: Privacy | undefined;
  /** The latest first. */
  readonly events: readonly LoggedEvent[];
  /** Whether events come in. */
  readonly isLive: boolean;
  /** Whether the last look was answered; what is known is only as good as `atMs` when it was not. */
  readonly isFresh: boolean;
  /** When it was last asked, epoch milliseconds. */
  readonly atMs: number;
  /** Who answered last in a conversation, as provider/model. */
  readonly lastAnswer: string | undefined;
  readonly agent: AgentState;
  /** Counts reloads of models.json, and answers: whoever shows more of either asks again. */
  readonly reloads: number;
  readonly answers: number;
}

export type AgentState = "idle" | "thinking" | "acting" | "error";

/** More events than this nobody scrolls through. */
const MOST_EVENTS = 100;
const REFRESH_MS = 5000;
/** Longest wait for one look. */
const LOOK_MS = 10_000;
/** Pause before the next try when the events have ended. */
const RETRY_MS = 1000;
const SETTLE_MS = 100;
/** The server gives a sign of life every 15 s. */
const SILENT_MS = 40_000;
/** Names of events after which there is something new to ask for. */
const CHANGES = /^(router|config|security|system|chat)\./;

/** Keeps up with the program: asks now and then, and at once when an event tells that something has changed. */
export class Knowledge {
  readonly known: Observable<Known>;
  readonly #api: Api;
  #arrived: LoggedEvent[] = [];
  #settling: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;
  #isStale = false;
  #lastId: string | undefined;
  #leaving = new AbortController();
  /** Ends the pause before the next try. */
  #wake = (): void => {};

  constructor(api: Api) {
    this.#api = api;
    this.known = new Observable<Known>({
      health: undefined,
      router: undefined,
      privacy: undefined,
      events: [],
      isLive: false,
      isFresh: true,
      atMs: 0,
      lastAnswer: undefined,
      agent: "idle",
      reloads: 0,
      answers: 0,
    });
  }

  /** Goes on for as long as the page is open; a page that nobody sees asks for nothing. */
  start(): void {
    setInterval(() => this.#isAwake && void this.refresh(), REFRESH_MS);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return this.#leaving.abort();
      this.#wake();
      void this.refresh();
    });
    this.#api.token.subscribe(() => this.#isAwake && void this.refresh());
    void this.refresh();
    void this.#follow();
  }

  get #isAwake(): boolean {
    return !document.hidden && this.#api.token.value !== "missing" && this.#api.token.value !== "wrong";
  }

  /** Asks for everything, once at a time: asked for meanwhile, it looks once more. What cannot be had stays as it was. */
  async refresh(): Promise<void> {
    this.#isStale = true;
    this.#looking ??= this.#look().finally(() => this.#looking = undefined);
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (this.#isStale && this.#isAwake) {
      this.#isStale = false;
      const signal = AbortSignal.timeout(LOOK_MS);
      const look = <T>(path: string) => this.#api.ask<T>("GET", path, { signal }).catch(() => undefined);
      const [health, router, privacy] = await Promise.all([
        look<Health>("/health"),
        look<RouterStatus>("/api/router/status"),
        look<Privacy>("/api/privacy"),
      ]);
      const found = { ...(health && { health }), ...(router && { router }), ...(privacy && { privacy }) };
      this.#change({ ...found, isFresh: router !== undefined, ...(router && { atMs: Date.now() }) });
    }
  }

  /** Follows the events, over and over: the program may be started anew. */
  async #follow(): Promise<never> {
    for (;;) {
      if (this.#isAwake) await this.#followOnce().catch(() => {}); // what is wrong the next look will tell
      clearTimeout(this.#settling);
      this.#settling = undefined;
      if (!document.hidden) this.#change({ isLive: false, agent: "idle" });
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, RETRY_MS);
      });
    }
  }

  async #followOnce(): Promise<void> {
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    if (this.#lastId === undefined) await this.#recall().catch(() => {}); // what is to come matters more
    const headers = this.#lastId === undefined ? {} : { "last-event-id": this.#lastId };
    const response = await this.#api.send("GET", "/api/events", { headers, signal });
    const { reloads, answers } = this.known.value;
    this.#change({ isLive: true, reloads: reloads + 1, answers: answers + 1 }); // it may be another program
    void this.refresh();
    const watch = () => setTimeout(() => this.#leaving.abort(), SILENT_MS);
    let watchdog = watch();
    try {
      for await (const event of readEvents(response)) {
        clearTimeout(watchdog);
        watchdog = watch();
        if (event) this.#take(event.data as LoggedEvent);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  async #recall(): Promise<void> {
    const { events } = await this.#api.ask<{ events: LoggedEvent[] }>("GET", "/api/events/recent");
    this.#lastId = events.at(-1)?.id;
    const fresh = events.toReversed();
    this.#change({ events: fresh.slice(0, MOST_EVENTS), ...this.#told(fresh) });
  }

  /** Many events at once are shown together. */
  #take(event: LoggedEvent): void {
    if (event.id === undefined) return void (this.#lastId = undefined); // some were dropped on the way
    this.#lastId = event.id;
    this.#arrived.push(event);
    this.#settling ??= setTimeout(() => this.#show(), SETTLE_MS);
  }

  #show(): void {
    this.#settling = undefined;
    const fresh = this.#arrived.reverse();
    this.#arrived = [];
    const { events, reloads, answers } = this.known.value;
    const count = (wanted: string) => fresh.filter(({ name }) => name === wanted).length;
    this.#change({
      events: [...fresh, ...events].slice(0, MOST_EVENTS),
      reloads: reloads + count("config.router_reloaded"),
      answers: answers + count("chat.response_generated"),
      ...this.#told(fresh),
    });
    if (this.#isAwake && fresh.some(({ name }) => CHANGES.test(name))) void this.refresh();
  }

  /** What the latest of these events say, latest first. */
  #told(events: readonly LoggedEvent[]): Partial<Known> {
    const states = events.map(({ name }) => /^agent_state\.(idle|thinking|acting|error)$/.exec(name)?.[1]);
    const agent = states.find((state) => state !== undefined) as AgentState | undefined;
    const answer = events.find(({ name, data }) =>
      name === "chat.response_generated" && (data as Answered).provider !== null
    );
    const { provider, model } = (answer?.data ?? {}) as Partial<Answered>;
    return { ...(agent && { agent }), ...(answer && { lastAnswer: `${provider}/${model}` }) };
  }

  #change(part: Partial<Known>): void {
    this.known.set({ ...this.known.value, ...part });
  }
}

interface Answered {
  readonly provider: string | null;
  readonly model: string | null;
}
