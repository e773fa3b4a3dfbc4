import { z } from "@hono/zod-openapi";
import { CHAT_ROLES, PROVIDER_TYPES, ROLES } from "../core/types.ts";
import { GROUPINGS, USAGE_OUTCOMES } from "../storage/usage.ts";

/** Shapes of the API's requests and answers; `/openapi.json` is made of them. */

const attemptSchema = z.object({
  provider: z.string(),
  model: z.string(),
  outcome: z.enum(["ok", "failed", "skipped", "aborted"]),
  error_kind: z.string().optional(),
  reason: z.string().optional(),
  remedy: z.string().optional(),
  ms: z.number(),
});

export const errorSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    code: z.string(),
    param: z.string().optional().openapi({ description: "where in the request" }),
    problems: z.array(z.string()).optional().openapi({ description: "everything wrong with models.json" }),
    attempts: z.array(attemptSchema).optional().openapi({ description: "every model tried, when none answered" }),
  }),
}).openapi("Error");

/** `off` without a token; else how the connection to Discord is. */
export const BOT_STATES = ["off", "connecting", "ready", "reconnecting", "failed", "stopped"] as const;
export type BotState = typeof BOT_STATES[number];

export const healthSchema = z.object({
  status: z.enum(["ok", "degraded"]),
  version: z.string(),
  uptime_seconds: z.number(),
  profile: z.string(),
  sealed: z.boolean(),
  providers: z.record(z.string(), z.object({ usable: z.boolean(), breaker: z.enum(["closed", "open", "half_open"]) })),
  database: z.object({ state: z.enum(["ok", "waiting"]), shared: z.enum(["off", "idle", "connected", "away"]) }),
  bot: z.object({ state: z.enum(BOT_STATES) }),
  banner: z.string().nullable().openapi({
    description: "server.banner of models.json; whoever can reach the server can read it",
  }),
}).openapi("Health");

const laneSchema = z.object({
  usable: z.boolean().openapi({ description: "whether this run may ask it" }),
  reason: z.string().nullable().openapi({ description: "why not" }),
  breaker: z.enum(["closed", "open", "half_open"]),
  failures: z.number(),
  retry_at: z.string().nullable().openapi({ description: "ISO 8601" }),
  last_error_kind: z.string().nullable(),
  in_flight: z.number(),
  waiting: z.number(),
  latency_p50_ms: z.number().nullable(),
  latency_p95_ms: z.number().nullable(),
});

export const routerStatusSchema = z.object({
  profile: z.string(),
  local_only: z.boolean(),
  sealed: z.boolean(),
  chain: z.array(z.string()),
  roles: z.record(z.string(), z.string().nullable()).openapi({ description: "the first choice of each role" }),
  vision: z.array(z.string()).openapi({ description: "roles whose first choice sees pictures" }),
  providers: z.record(z.string(), laneSchema),
}).openapi("RouterStatus");

export const reloadSchema = z.object({
  ok: z.literal(true),
  changes: z.array(z.string()),
}).openapi("Reload");

export const modelsConfigSchema = z.object({
  source: z.string().openapi({ description: "the file, or that the embedded defaults serve" }),
  profile: z.string(),
  profiles: z.array(z.object({
    name: z.string(),
    local_only: z.boolean(),
    chain: z.array(z.string()),
    assignments: z.record(z.string(), z.string()),
    cloud_models: z.array(z.string()).openapi({ description: "models of it that run outside this network" }),
  })),
  models: z.array(z.object({
    ref: z.string(),
    provider: z.string(),
    type: z.enum(PROVIDER_TYPES),
    context: z.number(),
    embeddings: z.boolean(),
    vision: z.boolean(),
    usd_per_million: z.object({ input: z.number(), output: z.number() }).nullable(),
  })),
}).openapi("ModelsConfig");

export const profileRequestSchema = z.strictObject({ profile: z.string() }).openapi("ProfileRequest");
export const assignmentRequestSchema = z.strictObject({
  agent_role: z.enum(ROLES),
  model: z.string().openapi({ example: "ollama/llama3.2" }),
}).openapi("AssignmentRequest");
export const testRequestSchema = z.strictObject({
  provider: z.string(),
  model: z.string().optional().openapi({ description: "default: the first chat model of the provider" }),
}).openapi("TestRequest");

export const changeSchema = z.object({
  profile: z.string(),
  roles: z.record(z.string(), z.string().nullable()),
  changes: z.array(z.string()),
}).openapi("Change");

export const testResultSchema = z.object({
  ok: z.boolean(),
  provider: z.string(),
  model: z.string(),
  latency_ms: z.number().nullable(),
  first_token_ms: z.number().nullable(),
  error: z.string().nullable(),
  error_kind: z.string().nullable(),
}).openapi("TestResult");

const percentilesSchema = z.object({ p50: z.number().nullable(), p95: z.number().nullable() });

const usageGroupSchema = z.object({
  key: z.string(),
  calls: z.number(),
  ok: z.number(),
  failed: z.number(),
  aborted: z.number(),
  fallbacks: z.number(),
  input_tokens: z.number(),
  cached_input_tokens: z.number(),
  output_tokens: z.number(),
  reasoning_tokens: z.number(),
  total_tokens: z.number(),
  estimated: z.number(),
  cost_usd: z.number().nullable(),
  unpriced: z.number(),
  latency_ms: percentilesSchema,
  first_token_ms: percentilesSchema,
}).openapi("UsageGroup");

export const usageQuerySchema = z.object({
  days: z.coerce.number().int().min(1).max(3653).default(7),
  by: z.enum(GROUPINGS).default("day"),
  rows: z.coerce.number().int().min(0).max(1000).default(100).openapi({
    description: "how many of the latest rows at most",
  }),
});

export const usageSchema = z.object({
  by: z.enum(GROUPINGS),
  since: z.string(),
  groups: z.array(usageGroupSchema),
  total: usageGroupSchema,
  rows: z.array(z.object({
    id: z.string(),
    at: z.string(),
    instance_id: z.string(),
    conversation_id: z.string().nullable(),
    role: z.enum(ROLES),
    profile: z.string(),
    provider: z.string(),
    model: z.string(),
    input_tokens: z.number(),
    cached_input_tokens: z.number(),
    output_tokens: z.number(),
    reasoning_tokens: z.number(),
    total_tokens: z.number(),
    source: z.enum(["provider", "estimated", "none"]),
    cost_usd: z.number().nullable(),
    latency_ms: z.number(),
    first_token_ms: z.number().nullable(),
    outcome: z.enum(USAGE_OUTCOMES),
    error_kind: z.string().nullable(),
    fallback: z.boolean(),
    chain_position: z.number(),
  })),
}).openapi("TokenUsage");

export const eventsSchema = z.object({
  events: z.array(z.object({
    id: z.string(),
    at: z.string(),
    name: z.string(),
    data: z.unknown(),
  })),
}).openapi("Events");

export const privacySchema = z.object({
  sealed: z.boolean(),
  sandboxed: z.boolean(),
  profile: z.string(),
  local_only: z.boolean(),
  cloud_models: z.array(z.string()).openapi({ description: "models of the profile that run outside this network" }),
  sandbox: z.array(z.object({ host: z.string(), state: z.enum(["allowed", "denied"]) })),
  note: z.string().openapi({ description: "what the list of hosts in `sandbox` cannot tell, in English" }),
  providers: z.array(z.object({
    provider: z.string(),
    local: z.boolean(),
    origin: z.string().nullable().openapi({
      description: "where its requests go; null when it is not part of this run",
    }),
    may_be_asked: z.boolean(),
    why: z.string(),
  })),
  usage: z.object({
    file: z.string(),
    shared: z.string().nullable().openapi({ description: "the table shared with other machines" }),
    problem: z.string().nullable().openapi({ description: "why usage is not shared although DATABASE_URL is set" }),
  }),
  memory: z.object({
    file: z.string().openapi({ description: "where it is kept what was learned and talked about, on this machine" }),
    exchanges_kept: z.boolean(),
  }),
  web_search: z.string().nullable().openapi({ description: "where mode 1 sends what is asked; null: nowhere" }),
  egress: z.array(z.object({
    origin: z.string(),
    local: z.boolean(),
    requests: z.number(),
    sent_bytes: z.number(),
    received_bytes: z.number(),
    last_at: z.string(),
  })),
}).openapi("Privacy");

/** Names of the roles that chat, as the endpoint's model names `role:…` use them. */
export const ROLE_MODELS = CHAT_ROLES.map((role) => `role:${role}`);
