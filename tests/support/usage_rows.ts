/** Rows of the usage table to fill a test with. */
import { v7 as newTimeOrderedId } from "uuid";
import type { UsageRow } from "../../src/storage/usage.ts";

/** A row that differs from the ordinary one in `change`. */
export function usageRow(change: Partial<UsageRow> = {}): UsageRow {
  return {
    id: newTimeOrderedId(),
    at_ms: Date.now(),
    conversation_id: null,
    role: "identity_core",
    profile: "privacy_mode",
    provider: "ollama",
    model: "llama3.2",
    input_tokens: 26,
    cached_input_tokens: 0,
    output_tokens: 5,
    reasoning_tokens: 0,
    total_tokens: 31,
    source: "provider",
    cost_usd: 0,
    latency_ms: 100,
    first_token_ms: 10,
    outcome: "ok",
    error_kind: null,
    fallback: false,
    chain_position: 1,
    ...change,
  };
}

/** Rows of every kind over the last `days` days, the same for the same arguments but for their ids. */
export function variedRows(count: number, days = 29): UsageRow[] {
  const models = [["ollama", "llama3.2"], ["ollama", "small"], ["groq", "openai/gpt-oss-120b"], ["gemini", "lite"]];
  const roles = ["identity_core", "technical", "business"] as const;
  return Array.from({ length: count }, (_, index) => {
    const [provider = "", model = ""] = models[index % 4] ?? [];
    const outcome = index % 10 === 0 ? "failed" : index % 23 === 0 ? "aborted" : "ok";
    return usageRow({
      at_ms: Date.now() - Math.floor((count - 1 - index) / count * days * 86_400_000),
      conversation_id: `conversation-${index % 100}`,
      role: roles[index % 3] ?? "identity_core",
      provider,
      model,
      input_tokens: (index * 37) % 2000,
      cached_input_tokens: (index * 37) % 2000 >> 1,
      output_tokens: (index * 13) % 700,
      reasoning_tokens: index % 5,
      total_tokens: (index * 37) % 2000 + (index * 13) % 700,
      source: index % 31 === 0 ? "estimated" : "provider",
      cost_usd: provider === "ollama" ? 0 : provider === "groq" ? index % 9 / 1024 : null,
      latency_ms: (index * 7919) % 60_000,
      first_token_ms: outcome === "ok" ? (index * 104_729) % 5000 : null,
      outcome,
      error_kind: outcome === "ok" ? null : outcome === "failed" ? "timeout" : "aborted",
      fallback: index % 7 === 0,
      chain_position: 1 + index % 3,
    });
  });
}
