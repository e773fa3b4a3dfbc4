import { isOllamaCloudName } from "../core/cloud_name.ts";
import { asCount, asRecord, asRecords, asText } from "./json.ts";
import type { ModelDetails, ModelInfo } from "./provider.ts";

/** `llama3.2` and `LLAMA3.2:latest` are the same model. */
export function sameModel(one: string, other: string): boolean {
  return fullName(one) === fullName(other);
}

function fullName(model: string): string {
  const name = model.trim().toLowerCase().replace(/^library\//, "");
  return name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`;
}

/** True when what Ollama says of a model, or a line of its answer, names another machine. */
export function runsElsewhere(entry: Readonly<Record<string, unknown>>): boolean {
  return asText(entry["remote_host"]) !== undefined || asText(entry["remote_model"]) !== undefined;
}

/** The entries of `/api/ps` or `/api/tags`. */
export function modelEntries(answer: unknown): Readonly<Record<string, unknown>>[] {
  return asRecords(asRecord(answer)?.["models"]);
}

/** The entry of a model in `/api/ps` or `/api/tags`. */
export function findEntry(answer: unknown, model: string): Readonly<Record<string, unknown>> | undefined {
  return modelEntries(answer).find((entry) => sameModel(nameOf(entry), model));
}

function nameOf(entry: Readonly<Record<string, unknown>>): string {
  return asText(entry["name"]) ?? asText(entry["model"]) ?? "";
}

/** Whether a model is in memory, and with which context window; `undefined` when the version does not say which. */
export function findLoaded(ps: unknown, model: string): { readonly contextTokens: number | undefined } | undefined {
  const entry = findEntry(ps, model);
  return entry && { contextTokens: asCount(entry["context_length"]) };
}

/** Puts what is installed (`/api/tags`) and what is in memory (`/api/ps`) together. */
export function mergeModels(tags: unknown, ps: unknown): ModelInfo[] {
  return modelEntries(tags).map((entry) => {
    const name = nameOf(entry);
    return {
      name,
      remote: runsElsewhere(entry) || isOllamaCloudName(name),
      sizeBytes: asCount(entry["size"]) ?? null,
      loadedContextTokens: findLoaded(ps, name)?.contextTokens ?? null,
    };
  });
}

/** Reads `/api/show`. */
export function readDetails(answer: unknown): ModelDetails {
  const show = asRecord(answer) ?? {};
  const info = Object.entries(asRecord(show["model_info"]) ?? {});
  const context = info.find(([key]) => key.endsWith(".context_length"))?.[1];
  const capabilities = Array.isArray(show["capabilities"]) ? show["capabilities"] : [];
  return {
    maxContextTokens: asCount(context) ?? null,
    capabilities: capabilities.filter((item) => typeof item === "string"),
  };
}
