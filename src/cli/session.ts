import type { Seal } from "../privacy/egress.ts";
import type { Agent, AgentOptions, BotStart, Composition, RunningBot, UsageAccess } from "./agent.ts";

/** Options that stand before or after any command. */
export interface CommonOptions {
  readonly config: string;
  /** True when the folder was named on the command line. */
  readonly configNamed: boolean;
  readonly data: string;
  readonly cloud: boolean;
  /** False with `--no-sandbox`. */
  readonly sandbox: boolean;
}

/** One run of the program, from its arguments to its exit. The process is sealed before any command begins. */
export class Session {
  readonly #composition: Composition;
  readonly #seal: Seal;
  readonly options: CommonOptions;

  constructor(composition: Composition, seal: Seal, options: CommonOptions) {
    this.#composition = composition;
    this.#seal = seal;
    this.options = options;
  }

  get seal(): Seal {
    return this.#seal;
  }

  /**
   * Wires the program together.
   * @throws ConfigError, AgentError with what is wrong and what to do.
   */
  async open({ profile, watch = false, patient = false }: OpenOptions = {}): Promise<Agent> {
    return await this.#composition.openAgent({
      ...this.#agentOptions,
      watch,
      patient,
      ...(profile !== undefined && { profile }),
    });
  }

  /**
   * Opens only where usage is kept, whatever models.json says.
   * @throws AgentError with what is wrong and what to do.
   */
  async openUsage(): Promise<UsageAccess> {
    return await this.#composition.openUsage(this.#agentOptions);
  }

  /** Starts the Discord bot. @throws ConfigError when discord.json cannot be used */
  async startBot(options: Omit<BotStart, "configDir">): Promise<RunningBot> {
    return await this.#composition.startBot({ ...options, configDir: this.options.config });
  }

  get #agentOptions(): AgentOptions {
    const { config, configNamed, data, cloud } = this.options;
    return { configDir: config, configNamed, dataDir: data, cloud, seal: this.#seal };
  }
}

interface OpenOptions {
  /** Serves this profile instead of the one models.json names. */
  readonly profile?: string | undefined;
  /** Reloads models.json when it changes. */
  readonly watch?: boolean;
  /** Waits for other programs that write to the memory. */
  readonly patient?: boolean;
}
