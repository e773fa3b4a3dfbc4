import { z } from "zod";
import { LANGUAGES } from "../core/language.ts";
import { PROVIDER_TYPES, ROLES } from "../core/types.ts";

/** What the name of an environment variable looks like. */
export const VARIABLE_NAME = /^[A-Z][A-Z0-9_]*$/;

// Names become parts of references, metrics and file paths in messages, so they stay plain.
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/)
  .meta({ description: "a name of letters, digits, _ . - (64 at most), beginning with a letter or a digit" });
const modelName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,255}$/)
  .meta({ description: "the provider's own name of the model: letters, digits and . _ : / @ + -" });
// The rules check the form of a reference, with a better message; the pattern here is for editors.
const reference = z.string().meta({
  description: "a model as provider/model, for example ollama/llama3.2",
  pattern: "^[^/]+/.+$",
});
const chain = z.array(reference).meta({ description: "models in the order in which they are tried" });
const seconds = (description: string) => z.number().min(0.001).max(86_400).meta({ description });
const price = (description: string) => z.number().min(0).max(10_000).meta({ description });

const priceSchema = z.strictObject({
  input: price("US dollars per million input tokens"),
  cached_input: price("US dollars per million input tokens the provider had cached").exactOptional(),
  output: price("US dollars per million output tokens, thinking included"),
}).meta({
  description: "what the provider charges; leave it out when you do not know: the cost is then unknown, not 0",
});

const modelSchema = z.strictObject({
  context: z.int().min(1).max(16_777_216).meta({ description: "context window in tokens" }),
  embeddings: z.boolean().exactOptional().meta({
    description: "true for a model that makes vectors and does not chat",
  }),
  vision: z.boolean().exactOptional().meta({
    description: "true for a model that sees pictures; no other is sent any",
  }),
  usd_per_million: priceSchema.exactOptional(),
}).meta({ description: "one model of the provider" });

const attemptDeadlines = {
  load_seconds: seconds("to the first token while the model is not in memory yet"),
  first_token_seconds: seconds("to the first token otherwise"),
  idle_seconds: seconds("between two pieces of an answer"),
};

const providerSchema = z.strictObject({
  type: z.enum(PROVIDER_TYPES).meta({ description: "which protocol it speaks" }),
  base_url: z.string().exactOptional().meta({
    description: "where it listens: scheme, host and port only, for example http://127.0.0.1:11434",
  }),
  api_key_env: z.string().exactOptional().meta({
    description: "name of the variable (environment or .env) that holds the API key, for example GROQ_API_KEY",
    pattern: VARIABLE_NAME.source,
  }),
  max_concurrent: z.int().min(1).max(256).exactOptional().meta({
    description: "calls at a time; default 1 for ollama, 8 otherwise",
  }),
  max_waiting: z.int().min(0).max(10_000).default(64).meta({
    description: "calls of one priority that may wait for their turn; further ones go to the next model",
  }),
  deadlines: z.strictObject({
    load_seconds: attemptDeadlines.load_seconds.exactOptional(),
    first_token_seconds: attemptDeadlines.first_token_seconds.exactOptional(),
    idle_seconds: attemptDeadlines.idle_seconds.exactOptional(),
  }).exactOptional().meta({ description: "deadlines of this provider where they differ from the general ones" }),
  models: z.record(modelName, modelSchema).meta({ description: "the models of this provider by name" }),
}).transform((provider) => ({
  ...provider,
  // Ollama answers one request at a time per model: more would only make all of them slower.
  max_concurrent: provider.max_concurrent ?? (provider.type === "ollama" ? 1 : 8),
}));

const assignments = z.partialRecord(z.enum(ROLES), reference)
  .meta({ description: "the model of each role; a role without one uses the head of the chain" });

const profileSchema = z.strictObject({
  local_only: z.boolean().exactOptional().meta({
    description: "true: every model must run on this machine or network, and nothing else is asked",
  }),
  fallback_chain: chain.exactOptional(),
  assignments: z.partialRecord(z.enum([...ROLES, "*"]), reference).exactOptional().meta({
    description: 'roles this profile gives another model; "*" is every role but embeddings',
  }),
}).meta({ description: "replaces the general chain and the assignments it names" });

/** Shape, bounds and defaults of models.json. What concerns several places at once is in rules.ts. */
export const modelsSchema = z.strictObject({
  $schema: z.string().exactOptional().meta({ description: "path of the JSON Schema, for your editor" }),
  profile: z.string().meta({ description: "name of the active profile" }),
  providers: z.record(name, providerSchema).meta({ description: "who can be asked, by a name of your choice" }),
  fallback_chain: chain.default([]),
  assignments: assignments.default({}),
  profiles: z.record(name, profileSchema).meta({ description: "the profiles to choose from, by name" }),
  circuit_breaker: z.strictObject({
    failure_threshold: z.int().min(1).max(100).default(3).meta({
      description: "failures in a row after which a provider is left alone",
    }),
    recovery_seconds: z.number().min(0.001).max(3_600).default(30).meta({
      description: "how long it is left alone before it is tried again",
    }),
  }).prefault({}),
  server: z.strictObject({
    host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/).default("127.0.0.1").meta({
      description: "address `serve` listens on; any but this machine's own needs DJANGO_API_TOKEN",
    }),
    port: z.int().min(1).max(65_535).default(8000).meta({ description: "port `serve` listens on" }),
    allowed_hosts: z.array(
      z.string().regex(/^[a-z0-9.-]{1,253}$/).meta({
        description: "a name in lower case without a port, for example nas.local",
      }),
    ).default([]).meta({
      description: "names it may be called by besides localhost, lower case without a port",
    }),
    allowed_origins: z.array(
      z.string().regex(/^https?:\/\/[a-z0-9.:[\]-]{1,253}$/).meta({
        description: "scheme, name and port in lower case without a path, for example https://chat.example.com",
      }),
    ).default([]).meta({
      description: "origins of web pages that may use it, for example https://chat.example.com",
    }),
    banner: z.string().max(200).regex(/^[^\r\n]*$/).exactOptional().meta({
      description: "a line above every view of the page, for example what this installation is for",
    }),
  }).prefault({}).meta({ description: "the HTTP API; changes count from the next start on" }),
  chat: z.strictObject({
    language: z.enum(["auto", ...LANGUAGES]).default("auto").meta({
      description: "language of persona, rules and texts; auto: that of the first message of a conversation",
    }),
    remember_exchanges: z.boolean().default(true).meta({
      description: "whether what was said and answered is kept in data/memory.db, for modes 1 and 3",
    }),
    searxng_url: z.string().exactOptional().meta({
      description: "where a SearXNG of yours listens, for mode 1, for example http://127.0.0.1:8888; none by default",
    }),
  }).prefault({}).meta({ description: "how conversations are held" }),
  deadlines: z.strictObject({
    load_seconds: attemptDeadlines.load_seconds.default(300),
    first_token_seconds: attemptDeadlines.first_token_seconds.default(60),
    idle_seconds: attemptDeadlines.idle_seconds.default(30),
    total_seconds: seconds("for a whole call, every model tried included").default(600),
  }).prefault({}),
});

/** A value whose every level is read-only. */
export type DeepReadonly<T> = T extends object ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> } : T;

/** One provider of a valid models.json. */
export type ProviderSettings = ModelsConfig["providers"][string];

/** A valid models.json with every default filled in. */
export type ModelsConfig = DeepReadonly<z.output<typeof modelsSchema>>;

/** The JSON Schema (draft 7, what editors know best) of models.json as a person may write it. */
export function modelsJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(modelsSchema, { io: "input", target: "draft-7" });
  return {
    $schema,
    title: "Models of django-agent",
    description: "Providers, models, roles and profiles. Comments are allowed in models.json.",
    ...schema,
  };
}

/** The text of `config/models.schema.json`; a test holds the two together. */
export function schemaFileText(): string {
  return `${JSON.stringify(modelsJsonSchema(), null, 2)}\n`;
}
