import type { ModelsConfig } from "./schema.ts";

/** What differs between two configurations, a readable line each: `profile: privacy_mode → balanced`. */
export function describeChanges(before: ModelsConfig, after: ModelsConfig): string[] {
  return [
    ...(before.profile === after.profile ? [] : [`profile: ${before.profile} → ${after.profile}`]),
    ...compareEntries("providers", before.providers, after.providers),
    ...compareEntries("profiles", before.profiles, after.profiles),
    ...compareEntries("assignments", before.assignments, after.assignments),
    ...(["fallback_chain", "circuit_breaker", "chat", "deadlines"] as const)
      .filter((part) => !same(before[part], after[part]))
      .map((part) => `${part} changed`),
    ...(same(before.server, after.server) ? [] : ["server changed, which counts from the next start on"]),
  ];
}

function compareEntries(part: string, before: object, after: object): string[] {
  const old = new Map(Object.entries(before));
  const lines = Object.entries(after).flatMap(([name, value]) => {
    if (!old.has(name)) return [`${part}.${name} added`];
    return same(old.get(name), value) ? [] : [`${part}.${name} changed`];
  });
  const gone = [...old.keys()].filter((name) => !Object.hasOwn(after, name)).map((name) => `${part}.${name} removed`);
  return [...lines, ...gone];
}

/** Both sides come from the same schema, so their keys stand in the same order unless the file changed them. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
