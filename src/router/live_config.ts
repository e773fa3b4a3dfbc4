import { describeChanges } from "../config/changes.ts";
import { setAssignment, setProfile } from "../config/edit.ts";
import type { ConfigSnapshot } from "../config/load.ts";
import { watchConfig } from "../config/watch.ts";
import { AgentError, ConfigError, describeProblem, withRemedy } from "../core/errors.ts";
import type { EventBus, ReloadResult } from "../core/events.ts";
import type { ModelRef, Role } from "../core/types.ts";
import type { Router } from "./router.ts";
import type { RouterSnapshot } from "./snapshot.ts";

export interface LiveConfigOptions {
  /** The folder of models.json. */
  readonly dir: string;
  /** What serves at the start. */
  readonly config: ConfigSnapshot;
  /** Serves this profile instead of the one models.json names, until another is chosen. */
  readonly profile?: string | undefined;
  readonly router: Router;
  readonly events: EventBus;
  /** Reads models.json. @throws ConfigError, AgentError */
  readonly read: () => Promise<ConfigSnapshot>;
  /** Builds what the router serves. @throws ConfigError, AgentError */
  readonly build: (config: ConfigSnapshot, profile: string | undefined) => Promise<RouterSnapshot>;
}

/**
 * The configuration of a running program. Reloads and changes come one after the other, so that none is lost and the
 * newest file wins; each is in the router and in the events before it is said to be done.
 */
export class LiveConfig {
  readonly #options: LiveConfigOptions;
  #config: ConfigSnapshot;
  #profile: string | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Why the file was refused when it was last read; undefined when it serves. */
  #refused: string | undefined;
  /** Ends the present round of watching. */
  #round: AbortController | undefined;

  constructor(options: LiveConfigOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#profile = options.profile;
  }

  /** What serves now. */
  get current(): ConfigSnapshot {
    return this.#config;
  }

  /** Reads models.json again; a file that cannot be used changes nothing. */
  async reload(): Promise<ReloadResult> {
    return await this.#inTurn(() => this.#tryReload());
  }

  /**
   * Makes `name` the active profile, in the file and in the router.
   * @throws ConfigError, AgentError; the running program goes on as before
   */
  async setProfile(name: string): Promise<ReloadResult> {
    return await this.#inTurn(async () => {
      const config = await setProfile(this.#options.dir, name);
      return await this.#apply(config, undefined);
    });
  }

  /**
   * Gives `role` the model `ref`, in the file and in the router.
   * @throws ConfigError, AgentError; the running program goes on as before
   */
  async setAssignment(role: Role, ref: ModelRef): Promise<ReloadResult> {
    return await this.#inTurn(async () => {
      const config = await setAssignment(this.#options.dir, role, ref);
      return await this.#apply(config, this.#profile);
    });
  }

  /** Reloads whenever the file changes, until the signal aborts. @throws what watching throws */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Begins anew with every text that serves: a person who undoes a change of ours changes the file as well.
      const round = this.#round = new AbortController();
      await watchConfig({
        dir: this.#options.dir,
        text: this.#config.text,
        onChange: async () => void await this.#inTurn(() => this.#reloadChanged()),
        signal: AbortSignal.any([signal, round.signal]),
      });
    }
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return await result;
  }

  /** What has been said of this text already, accepted or refused, is not said again. */
  async #reloadChanged(): Promise<void> {
    const said = await this.#options.read().then(
      ({ text }) => this.#refused === undefined && text === this.#config.text,
      (error) => this.#refused === problemsOf(error).join("\n"),
    );
    if (!said) await this.#tryReload();
  }

  async #tryReload(): Promise<ReloadResult> {
    try {
      return await this.#apply(await this.#options.read(), this.#profile);
    } catch (error) {
      const result = { ok: false, changes: [], problems: problemsOf(error) };
      this.#refused = result.problems.join("\n");
      this.#options.events.emit("config.router_reloaded", result);
      return result;
    }
  }

  async #apply(config: ConfigSnapshot, profile: string | undefined): Promise<ReloadResult> {
    const { router, events, build } = this.#options;
    router.apply(await build(config, profile));
    const result = { ok: true, changes: describeChanges(this.#config.models, config.models), problems: [] };
    this.#config = config;
    this.#profile = profile;
    this.#refused = undefined;
    this.#round?.abort();
    events.emit("config.router_reloaded", result);
    return result;
  }
}

/** Why a reload failed, a line each. Whatever it was, the old configuration goes on serving. */
function problemsOf(error: unknown): string[] {
  if (error instanceof ConfigError) return error.problems.map(describeProblem);
  if (error instanceof AgentError) return [withRemedy(error.message, error.remedy)];
  return [`It could not be read: ${error instanceof Error ? error.name : typeof error}`];
}
