import { isOllamaCloudName } from "../core/cloud_name.ts";
import type { ConfigProblem } from "../core/errors.ts";
import { type ModelRef, parseModelRef, ROLES } from "../core/types.ts";
import type { ModelsConfig } from "./schema.ts";
import { formatPath, quote } from "./words.ts";

/** A reference that counts in a profile, and where it is written: in the profile itself or in what it inherits. */
interface EffectiveRef {
  readonly ref: ModelRef;
  readonly path: readonly (string | number)[];
  readonly inherited: boolean;
  /** What the profile would have to name itself in order not to inherit it. */
  readonly own: string;
}

/** Every model that a `local_only` profile would use, its own or inherited, although it runs on somebody else's machine. */
export function checkLocalOnly(models: ModelsConfig): ConfigProblem[] {
  return Object.entries(models.profiles).filter(([, profile]) => profile.local_only).flatMap(([name]) =>
    effectiveRefs(models, name).filter(({ ref }) => leavesNetwork(models, ref)).map((place) => toProblem(name, place))
  );
}

function toProblem(profile: string, { ref, path, inherited, own }: EffectiveRef): ConfigProblem {
  const where = formatPath(["profiles", profile]);
  return {
    path: formatPath(path),
    message: inherited
      ? `${quote(ref)} runs on somebody else's machine, and the local_only profile "${profile}" inherits it`
      : `${quote(ref)} runs on somebody else's machine, and this profile is local_only`,
    remedy: inherited
      ? `Give ${where} ${own} of its own with local models only.`
      : "Name a model that runs on your own Ollama, or remove local_only.",
  };
}

function effectiveRefs(models: ModelsConfig, name: string): EffectiveRef[] {
  const profile = models.profiles[name] ?? {};
  const inherited = profile.fallback_chain === undefined;
  const chainPath = inherited ? ["fallback_chain"] : ["profiles", name, "fallback_chain"];
  const chain = profile.fallback_chain ?? models.fallback_chain;
  const places: EffectiveRef[] = chain.map((ref, index) => ({
    ref,
    path: [...chainPath, index],
    inherited,
    own: "a fallback_chain",
  }));
  if (profile.assignments?.["*"] !== undefined) {
    places.push({
      ref: profile.assignments["*"],
      path: ["profiles", name, "assignments", "*"],
      inherited: false,
      own: "",
    });
  }
  for (const role of ROLES) {
    const own = profile.assignments?.[role];
    const path = own === undefined ? ["assignments", role] : ["profiles", name, "assignments", role];
    const replaced = own === undefined && role !== "embeddings" && profile.assignments?.["*"] !== undefined;
    const ref = own ?? models.assignments[role];
    if (ref === undefined || replaced) continue;
    places.push({ ref, path, inherited: own === undefined, own: `an assignment for ${role}` });
  }
  return places;
}

export function leavesNetwork(models: ModelsConfig, ref: ModelRef): boolean {
  const parts = parseModelRef(ref);
  if (!parts || !Object.hasOwn(models.providers, parts.provider)) return false; // reported as unknown already
  return models.providers[parts.provider]?.type !== "ollama" || isOllamaCloudName(parts.model);
}
