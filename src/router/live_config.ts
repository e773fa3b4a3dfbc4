import { describeChanges } from "../config/changes.ts";
import { setAssignment, setProfile } from "../config/edit.ts";
import type { ConfigSnapshot } from "../config/load.ts";
import { watchConfig } from "../config/watch.ts";
import { AgentError, ConfigError, describeProblem, SealedError, withRemedy } from "../core/errors.ts";
import type { EventBus, ReloadResult } from "../core/events.ts";
import { CHAT_ROLES, type ModelRef, type Role } from "../core/types.ts";
import { findCloudModels, planChat } from "./chain.ts";
import type { Router } from "./router.ts";
import type { RouterSnapshot } from "./snapshot.ts";

/** What a live configuration is made of. */
export interface LiveConfigOptions {
  /** The folder of models.json. */
  readonly dir: string;
  /** What serves at the start. */
  readonly config: ConfigSnapshot;
  /** Serves this profile instead of the one models.json names, until another is chosen. */
  readonly profile?: string | undefined;
  /** True when this run may ask the cloud. */
  readonly cloud: boolean;
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
   * @throws ConfigError, AgentError, SealedError; file and running program stay as they were
   */
  async setProfile(name: string): Promise<ReloadResult> {
    return await this.#inTurn(async () => {
      const { dir, cloud } = this.#options;
      return await this.#change(undefined, async (build) =>
        await setProfile(dir, name, {
          text: this.#config.text,
          check: async (config) => requireReachable(await build(config), cloud),
        }));
    });
  }

  /**
   * Gives `role` the model `ref` in the profile that serves, in the file and in the router.
   * @throws ConfigError, AgentError; file and running program stay as they were
   */
  async setAssignment(role: Role, ref: ModelRef): Promise<ReloadResult> {
    return await this.#inTurn(async () => {
      const profile = this.#profile;
      return await this.#change(profile, async (build) =>
        await setAssignment(this.#options.dir, role, ref, {
          profile,
          text: this.#config.text,
          check: async (config) => void await build(config),
        }));
    });
  }

  /** Reloads whenever the file changes, until the signal aborts. @throws what watching throws */
  async watch(signal: AbortSignal): Promise<void> {
    const end = () => this.#round?.abort();
    signal.addEventListener("abort", end, { once: true });
    while (!signal.aborted) {
      // Begins anew with every text that serves: a person who undoes a change of ours changes the file as well.
      const round = this.#round = new AbortController();
      await watchConfig({
        dir: this.#options.dir,
        text: this.#config.text,
        onChange: async () => void await this.#inTurn(() => this.#reloadChanged()),
        signal: round.signal,
      });
    }
    signal.removeEventListener("abort", end);
  }

  /** Changes the file once what it would become has been built, and serves that. */
  async #change(profile: string | undefined, edit: Edit): Promise<ReloadResult> {
    let built: RouterSnapshot | undefined;
    const config = await edit(async (next) => built = await this.#options.build(next, profile));
    if (!built) throw new Error("A change was written that nobody has looked at");
    return this.#serve(config, built, profile);
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
      const config = await this.#options.read();
      return this.#serve(config, await this.#options.build(config, this.#profile), this.#profile);
    } catch (error) {
      const result = { ok: false, changes: [], problems: problemsOf(error) };
      this.#refused = result.problems.join("\n");
      this.#options.events.emit("config.router_reloaded", result);
      return result;
    }
  }

  #serve(config: ConfigSnapshot, snapshot: RouterSnapshot, profile: string | undefined): ReloadResult {
    const { router, events } = this.#options;
    const before = router.snapshot.profile.name;
    router.apply(snapshot);
    const changes = describeChanges(this.#config.models, config.models);
    const move = `profile: ${before} → ${snapshot.profile.name}`;
    // The file may say nothing of it: it has named that profile all along, and another one served.
    if (before !== snapshot.profile.name && !changes.includes(move)) changes.unshift(move);
    const result = { ok: true, changes, problems: [] };
    this.#config = config;
    this.#profile = profile;
    this.#refused = undefined;
    this.#round?.abort();
    events.emit("config.router_reloaded", result);
    return result;
  }
}

/** A change of the file, given what builds the result before it is written. */
type Edit = (build: (config: ConfigSnapshot) => Promise<RouterSnapshot>) => Promise<ConfigSnapshot>;

/** A profile that asks the cloud first is of no use to a process that can never reach it. */
function requireReachable({ models, profile }: RouterSnapshot, cloud: boolean): void {
  const outside = new Set(findCloudModels(models, profile));
  const first = CHAT_ROLES.map((role) => planChat(models, profile, role)[0]?.ref);
  if (cloud || !first.some((ref) => ref !== undefined && outside.has(ref))) return;
  throw new SealedError(`Profile ${profile.name} asks ${[...outside].join(", ")}`);
}

/** Why a reload failed, a line each. Whatever it was, the old configuration goes on serving. */
function problemsOf(error: unknown): string[] {
  if (error instanceof ConfigError) return error.problems.map(describeProblem);
  if (error instanceof AgentError) return [withRemedy(error.message, error.remedy)];
  return [`It could not be read: ${error instanceof Error ? error.name : typeof error}`];
}
