import type { ConfigProblem } from "../core/errors.ts";
import { type ModelRef, parseModelRef } from "../core/types.ts";
import { checkBaseUrl } from "./base_url.ts";
import { checkLocalOnly } from "./local_only.ts";
import { type ModelsConfig, VARIABLE_NAME } from "./schema.ts";
import { didYouMean, formatPath, looksLikeSecret, quote } from "./words.ts";

/** Variables with secrets of other parts of the program: a provider must never be sent one of them. */
const OTHER_SECRETS = ["DISCORD_BOT_TOKEN", "DISCORD_WEBHOOK_URL", "DATABASE_URL", "DJANGO_API_TOKEN"];

type Path = readonly (string | number)[];
type Provider = ModelsConfig["providers"][string];

/** Everything that is wrong with a well-shaped configuration; empty when it can be used. Pure. */
export function checkRules(models: ModelsConfig): ConfigProblem[] {
  return [
    ...checkActiveProfile(models),
    ...checkInventory(models),
    ...Object.entries(models.providers).flatMap(([name, provider]) => checkProvider(name, provider)),
    ...checkChainsAndAssignments(models),
    ...checkEmptyChains(models),
    ...checkLocalOnly(models),
    ...checkWebSearch(models),
  ];
}

function checkWebSearch({ chat }: ModelsConfig): ConfigProblem[] {
  const problem = chat.searxng_url === undefined ? undefined : checkBaseUrl(chat.searxng_url, {
    local: false,
    carries: "What you search for",
  });
  return problem ? [{ path: "chat.searxng_url", ...problem }] : [];
}

function checkActiveProfile({ profile, profiles }: ModelsConfig): ConfigProblem[] {
  if (Object.hasOwn(profiles, profile)) return [];
  const names = Object.keys(profiles);
  const remedy = names.length === 0
    ? 'Add one to profiles: "profiles": { "balanced": {} }.'
    : `Use one of: ${names.join(", ")}.${didYouMean(profile, names)}`;
  return [{ path: "profile", message: `There is no profile ${quote(profile)}`, remedy }];
}

function checkInventory({ providers }: ModelsConfig): ConfigProblem[] {
  const all = Object.values(providers);
  if (all.some((provider) => Object.keys(provider.models).length > 0)) return [];
  const missing = all.length === 0 ? "provider" : "model";
  const remedy =
    'Name at least one, like "ollama": { "type": "ollama", "models": { "llama3.2": { "context": 8192 } } }.';
  return [{ path: "providers", message: `There is no ${missing} at all`, remedy }];
}

function checkProvider(name: string, provider: Provider): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (path: Path, message: string, remedy: string) =>
    problems.push({ path: formatPath(["providers", name, ...path]), message, remedy });
  if (provider.base_url !== undefined) {
    const problem = checkBaseUrl(provider.base_url, { local: provider.type === "ollama" });
    if (problem) add(["base_url"], problem.message, problem.remedy);
  }
  const variable = provider.api_key_env;
  if (variable !== undefined) {
    const problem = checkVariable(variable, provider.type);
    if (problem) add(["api_key_env"], ...problem);
  } else if (provider.type !== "ollama") {
    add(["api_key_env"], "A cloud provider needs a key", `Add "api_key_env": "${keyVariable(provider.type)}".`);
  }
  for (const [model, settings] of Object.entries(provider.models)) {
    if (settings.embeddings && provider.type === "groq") {
      add(["models", model, "embeddings"], "Groq serves no embeddings", "Use a model of ollama or gemini for them.");
    }
  }
  return problems;
}

/** Message and remedy. The value itself is never repeated: it may be the key. */
function checkVariable(variable: string, type: Provider["type"]): [string, string] | undefined {
  const example = keyVariable(type);
  if (looksLikeSecret(variable)) {
    return [
      "This looks like a key itself, not like the name of the variable that holds it",
      `Put the key into .env (${example}=…), write "${example}" here, and replace the key if anybody saw this file.`,
    ];
  }
  if (!VARIABLE_NAME.test(variable)) {
    return ["This is not the name of a variable", `Write capital letters, digits and _ only, like "${example}".`];
  }
  if (OTHER_SECRETS.includes(variable)) {
    return [`${variable} is a secret of another part of this program`, `Use a variable of its own, like "${example}".`];
  }
}

function keyVariable(type: Provider["type"]): string {
  return type === "gemini" ? "GEMINI_API_KEY" : "GROQ_API_KEY";
}

function checkChainsAndAssignments(models: ModelsConfig): ConfigProblem[] {
  return [
    ...checkReferences(models, [], models),
    ...Object.entries(models.profiles).flatMap(([name, profile]) =>
      checkReferences(models, ["profiles", name], profile)
    ),
  ];
}

function checkReferences(models: ModelsConfig, path: Path, place: ModelsConfig["profiles"][string]): ConfigProblem[] {
  return [
    ...checkChain(models, [...path, "fallback_chain"], place.fallback_chain ?? []),
    ...Object.entries(place.assignments ?? {}).flatMap(([role, ref]) =>
      checkReference(models, [...path, "assignments", role], ref, role === "embeddings")
    ),
  ];
}

function checkChain(models: ModelsConfig, path: Path, chain: readonly ModelRef[]): ConfigProblem[] {
  return chain.flatMap((ref, index) => {
    const first = chain.indexOf(ref);
    if (first === index) return checkReference(models, [...path, index], ref, false);
    const message = `${quote(ref)} stands here a second time`;
    return [{
      path: formatPath([...path, index]),
      message,
      remedy: `Remove it: ${formatPath([...path, first])} names it.`,
    }];
  });
}

function checkReference(models: ModelsConfig, path: Path, ref: ModelRef, embeddings: boolean): ConfigProblem[] {
  const problem = (message: string, remedy: string) => [{ path: formatPath(path), message, remedy }];
  const parts = parseModelRef(ref);
  if (!parts) return problem(`${quote(ref)} does not name a model`, "Write provider/model, like ollama/llama3.2.");
  const provider = ownEntry(models.providers, parts.provider);
  if (!provider) {
    const names = Object.keys(models.providers);
    const known = names.length === 0 ? "Add it to providers." : `Use one of: ${names.join(", ")}.`;
    const remedy = `${known}${didYouMean(parts.provider, names)}`;
    return problem(`There is no provider ${quote(parts.provider)}`, remedy);
  }
  const model = ownEntry(provider.models, parts.model);
  if (!model) {
    const listed = formatPath(["providers", parts.provider, "models"]);
    const hint = didYouMean(parts.model, Object.keys(provider.models));
    const remedy = `Add it to ${listed}, or use one that is listed there.${hint}`;
    return problem(`The model ${quote(parts.model)} is not listed`, remedy);
  }
  const embeds = model.embeddings ?? false;
  if (embeddings && !embeds) {
    return problem(`${quote(ref)} is not marked as an embeddings model`, 'Name one with "embeddings": true.');
  }
  if (embeds && !embeddings) {
    return problem(`${quote(ref)} makes embeddings and cannot chat`, "Name a chat model here.");
  }
  return [];
}

/** The chain of every profile needs an entry, so that no switch of the profile can leave the program without one. */
function checkEmptyChains(models: ModelsConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const remedy = 'Name at least one model, like ["ollama/llama3.2"].';
  for (const [name, profile] of Object.entries(models.profiles)) {
    if (profile.fallback_chain?.length === 0) {
      problems.push({ path: formatPath(["profiles", name, "fallback_chain"]), message: "The chain is empty", remedy });
    }
  }
  const heirs = Object.entries(models.profiles).filter(([, profile]) => profile.fallback_chain === undefined);
  if (models.fallback_chain.length === 0 && heirs.length > 0) {
    const message = `The chain is empty or missing, and these profiles use it: ${
      heirs.map(([name]) => name).join(", ")
    }`;
    problems.push({ path: "fallback_chain", message, remedy });
  }
  return problems;
}

function ownEntry<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
