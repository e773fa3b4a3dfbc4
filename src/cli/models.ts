import { setAssignment, setProfile } from "../config/edit.ts";
import { isOllamaCloudName } from "../core/cloud_name.ts";
import { AgentError, EXIT, withRemedy } from "../core/errors.ts";
import { printable } from "../core/format.ts";
import { CHAT_ROLES, parseModelRef, type Role, ROLES } from "../core/types.ts";
import { sameModel } from "../providers/ollama_models.ts";
import type { ModelInfo, Provider } from "../providers/provider.ts";
import { findCloudModels, findModel, planChat, planEmbedding, resolveProfile } from "../router/chain.ts";
import { isRefusal, providerOf, type Refusal } from "../router/snapshot.ts";
import type { Agent } from "./agent.ts";
import { createCommand, flag, type Group, option } from "./command.ts";
import { paint, table, tell, writeJson, writeOut } from "./output.ts";
import { ResultError } from "./result_error.ts";
import { listenForStop } from "./stop.ts";

/** Longest wait for the list of one provider in milliseconds. */
const ANSWER_MS = 3000;

interface ShowOptions {
  readonly profile?: string;
  readonly json?: true;
}

/** What `models` does alone. A command of its own, because options of `models` would be those of its commands too. */
const list = createCommand<ShowOptions>({
  brief: "Show providers and models; what `models` alone does",
  options: {
    profile: option("<name>", "show this profile instead of the active one"),
    json: flag("print the table as JSON and nothing else"),
  },
  examples: ["django-agent models --profile balanced"],
  async run(session, { profile, json }) {
    await using agent = await session.open({ profile });
    const rows = await listModels(agent);
    if (json) writeJson({ profile: agent.router.snapshot.profile.name, models: rows });
    else printModels(agent, rows);
  },
});

const test = createCommand<ShowOptions>({
  brief: "Send a trivial prompt to each model that chats, or to those of one provider",
  takes: [{ label: "[provider]", brief: "a provider, or one model as provider/model" }],
  options: {
    profile: option("<name>", "test the models of this profile instead of the active one"),
    json: flag("print the results as JSON and nothing else"),
  },
  examples: ["django-agent models test ollama"],
  async run(session, { profile, json }, [target]) {
    await using agent = await session.open({ profile });
    using stop = listenForStop();
    const results = [];
    for (const ref of testTargets(agent, target)) {
      const result = await testModel(agent, ref, stop.signal);
      results.push(result);
      if (!json) writeOut(`${describeTest(result)}\n`);
    }
    if (json) writeJson({ results });
    if (results.every(({ ok }) => !ok)) {
      throw new ResultError("No model passed its test", {
        exitCode: results[0]?.exit_code ?? EXIT.unavailable,
        remedy: "Run `doctor` to see what is wrong.",
      });
    }
  },
});

const profile = createCommand({
  brief: "Make a profile the active one; takes effect on the next call",
  takes: [{ label: "<name>", brief: "a profile of models.json" }],
  options: {},
  examples: ["django-agent models profile privacy_mode"],
  async run(session, _, [name = ""]) {
    const { models, source } = await setProfile(session.options.config, name);
    tell(`profile ${name} is active (${source})`);
    const profile = resolveProfile(models, name);
    const cloud = profile ? findCloudModels(models, profile) : [];
    if (cloud.length > 0) {
      tell(`note: it names models that run outside this network (${cloud.join(", ")}).`);
      tell("They are only asked by a program started with --cloud; without it the local ones of the profile answer.");
    }
  },
});

const assign = createCommand({
  brief: "Give a role a model: in the active profile if that names the role or *, else in general",
  takes: [
    { label: "<role>", brief: ROLES.join(", ") },
    { label: "<model>", brief: "a model of models.json as provider/model" },
  ],
  options: {},
  examples: ["django-agent models assign technical ollama/llama3.2"],
  async run(session, _, [role = "", model = ""]) {
    if (!isRole(role)) {
      throw new AgentError(`There is no role "${printable(role)}"`, {
        exitCode: EXIT.usage,
        remedy: `Use one of: ${ROLES.join(", ")}.`,
      });
    }
    const { source, models: { profile, profiles } } = await setAssignment(session.options.config, role, model);
    const own = profiles[profile]?.assignments ?? {};
    const where = role in own || (role !== "embeddings" && "*" in own) ? `in profile ${profile}` : "in general";
    tell(`${role} is answered by ${model} ${where} (${source})`);
  },
});

/** `models`: what is configured, what can answer, and the two changes people make most. */
export const models: Group = {
  brief: "Show providers and models of the active profile, test them, or change profile and assignments",
  commands: { list, test, profile, assign },
  alone: list,
  examples: ["django-agent models", "django-agent models assign technical ollama/llama3.2"],
};

interface ModelRow {
  readonly model: string;
  readonly context: number;
  readonly usd_per_million: { readonly input: number; readonly output: number } | null;
  /** Place in the chain, from 1; null when it is not in it. */
  readonly chain: number | null;
  readonly roles: readonly string[];
  readonly state: "ready" | "not pulled" | "not reachable" | "not allowed" | "no key";
  readonly reason: string | null;
}

async function listModels({ router }: Agent): Promise<ModelRow[]> {
  const { snapshot } = router;
  const { models, profile } = snapshot;
  const firstChoices = new Map<Role, string | undefined>(
    CHAT_ROLES.map((role) => [role, planChat(models, profile, role)[0]?.ref]),
  );
  firstChoices.set("embeddings", planEmbedding(models, profile)[0]?.ref);
  const rows: ModelRow[] = [];
  for (const [id, settings] of Object.entries(models.providers)) {
    const provider = providerOf(snapshot, id);
    const pulled = !isRefusal(provider) && provider.local ? await pulledModels(provider) : undefined;
    for (const name of Object.keys(settings.models)) {
      const ref = `${id}/${name}`;
      const { contextTokens = 0, price = null } = findModel(models, ref) ?? {};
      const place = profile.chain.indexOf(ref);
      rows.push({
        model: ref,
        context: contextTokens,
        usd_per_million: price && { input: price.input, output: price.output },
        chain: place < 0 ? null : place + 1,
        roles: ROLES.filter((role) => firstChoices.get(role) === ref),
        ...describeState(provider, name, pulled, snapshot.localOnly),
      });
    }
  }
  return rows;
}

function describeState(
  provider: Provider | Refusal,
  model: string,
  pulled: Pulled | undefined,
  localOnly: boolean,
): Pick<ModelRow, "state" | "reason"> {
  if (isRefusal(provider)) {
    const { kind, reason, remedy } = provider;
    return { state: kind === "auth" ? "no key" : "not allowed", reason: withRemedy(reason, remedy) };
  }
  if (!pulled) return { state: "ready", reason: null };
  if (typeof pulled === "string") return { state: "not reachable", reason: pulled };
  const known = pulled.find(({ name }) => sameModel(name, model));
  const remote = known?.remote ?? isOllamaCloudName(model); // Ollama runs such a name without a pull
  if (remote && localOnly) return { state: "not allowed", reason: `Ollama runs ${model} in somebody's cloud` };
  if (known || remote) return { state: "ready", reason: null };
  return { state: "not pulled", reason: `ollama pull ${model}` };
}

/** The models a local provider has, or why it could not be asked. */
type Pulled = readonly ModelInfo[] | string;

async function pulledModels(provider: Provider): Promise<Pulled> {
  try {
    return await provider.listModels(AbortSignal.timeout(ANSWER_MS));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function printModels(agent: Agent, rows: readonly ModelRow[]): void {
  const { profile } = agent.router.snapshot;
  const heading = ["model", "context", "$ in/out per million", "chain", "roles", "state"];
  writeOut(table([
    heading,
    ...rows.map((row) => [
      row.model,
      String(row.context),
      row.usd_per_million ? priceText(row.usd_per_million) : "unknown",
      row.chain === null ? "–" : String(row.chain),
      row.roles.join(", "),
      row.state === "ready" ? paint.green(row.state) : paint.yellow(row.state),
    ]),
  ]));
  tell(`profile ${profile.name}${profile.localOnly ? " (local only)" : ""}, from ${agent.config.source}`);
  for (const reason of new Set(rows.flatMap(({ reason }) => reason ?? []))) tell(`  ${reason}`);
}

interface TestResult {
  readonly model: string;
  readonly ok: boolean;
  readonly latency_ms: number | null;
  readonly first_token_ms: number | null;
  readonly error: string | null;
  readonly exit_code: AgentError["exitCode"];
}

async function testModel(agent: Agent, ref: string, signal: AbortSignal): Promise<TestResult> {
  try {
    const { latency_ms, first_token_ms } = await agent.router.test(ref, signal);
    return { model: ref, ok: true, latency_ms, first_token_ms, error: null, exit_code: EXIT.ok };
  } catch (error) {
    if (!(error instanceof AgentError) || signal.aborted) throw error;
    return {
      model: ref,
      ok: false,
      latency_ms: null,
      first_token_ms: null,
      error: error.message,
      exit_code: error.exitCode,
    };
  }
}

function describeTest({ model, ok, latency_ms, first_token_ms, error }: TestResult): string {
  if (!ok) return `${paint.red("failed")}  ${model}\n${error}`;
  return `${paint.green("ok")}      ${model}  ${latency_ms?.toFixed(0)} ms, first token ${
    first_token_ms?.toFixed(0)
  } ms`;
}

/** Chat models to test: one, those of one provider, or all of the active profile. */
function testTargets(agent: Agent, target: string | undefined): string[] {
  const { models, profile } = agent.router.snapshot;
  if (target === undefined) {
    return [...new Set(CHAT_ROLES.flatMap((role) => planChat(models, profile, role).map(({ ref }) => ref)))];
  }
  if (parseModelRef(target)) return [target];
  const provider = Object.hasOwn(models.providers, target) ? models.providers[target] : undefined;
  if (!provider) {
    throw new AgentError(`There is no provider "${printable(target)}"`, {
      exitCode: EXIT.usage,
      remedy: `Use one of: ${Object.keys(models.providers).join(", ")}.`,
    });
  }
  return Object.entries(provider.models).filter(([, { embeddings }]) => !embeddings).map(([name]) =>
    `${target}/${name}`
  );
}

function priceText({ input, output }: { readonly input: number; readonly output: number }): string {
  return input === 0 && output === 0 ? "free" : `${input} / ${output}`;
}

function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
