import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { quote } from "../config/words.ts";
import { ConfigError, NoAnswerError, withRemedy } from "../core/errors.ts";
import type { ReloadResult } from "../core/events.ts";
import { ROLES } from "../core/types.ts";
import { findCloudModels, findModel, resolveProfile } from "../router/chain.ts";
import { answers, bodyOf, createApi } from "./context.ts";
import { HttpError } from "./errors.ts";
import type { Program } from "./program.ts";
import { firstChoices } from "./router_status.ts";
import {
  assignmentRequestSchema,
  changeSchema,
  modelsConfigSchema,
  profileRequestSchema,
  reloadSchema,
  testRequestSchema,
  testResultSchema,
} from "./schemas.ts";

const reloadRoute = createRoute({
  method: "post",
  path: "/api/router/reload",
  summary: "Read models.json again; a file that is refused changes nothing",
  responses: answers(reloadSchema, "what changed"),
});

const configRoute = createRoute({
  method: "get",
  path: "/api/models/config",
  summary: "Profiles and models as models.json has them",
  responses: answers(modelsConfigSchema, "the configuration that serves"),
});

const profileRoute = createRoute({
  method: "put",
  path: "/api/models/profile",
  summary: "Make a profile the active one; 409 when it needs the cloud and this run is sealed",
  ...bodyOf(profileRequestSchema),
  responses: answers(changeSchema, "what serves from now on"),
});

const assignmentRoute = createRoute({
  method: "put",
  path: "/api/models/assignment",
  summary: "Give a role a model",
  ...bodyOf(assignmentRequestSchema),
  responses: answers(changeSchema, "what serves from now on"),
});

const testRoute = createRoute({
  method: "post",
  path: "/api/models/test",
  summary: "Send a trivial prompt straight to one model",
  ...bodyOf(testRequestSchema),
  responses: answers(testResultSchema, "whether it answered, and how fast"),
});

/** The model manager: what serves, and changing it. */
export function createManager(program: Program): OpenAPIHono {
  const api = createApi();
  api.openapi(reloadRoute, async (c) => {
    const result = await program.reload();
    requireOk(result);
    return c.json({ ok: true as const, changes: [...result.changes] }, 200);
  });
  api.openapi(configRoute, (c) => c.json(describeConfig(program), 200));
  api.openapi(profileRoute, async (c) => {
    const { profile } = c.req.valid("json");
    return c.json(describeChange(program, await setProfile(program, profile)), 200);
  });
  api.openapi(assignmentRoute, async (c) => {
    const { agent_role, model } = c.req.valid("json");
    return c.json(describeChange(program, await program.setAssignment(agent_role, model)), 200);
  });
  api.openapi(testRoute, async (c) => {
    const { provider, model } = c.req.valid("json");
    return c.json(await testModel(program, provider, model, c.req.raw.signal), 200);
  });
  return api;
}

function describeConfig({ config: { source, models }, router }: Program) {
  const profiles = Object.keys(models.profiles).flatMap((name) => {
    const profile = resolveProfile(models, name);
    if (!profile) return [];
    const { localOnly, chain, assignments } = profile;
    const named = ROLES.flatMap((role) => assignments[role] === undefined ? [] : [[role, assignments[role]]]);
    return [{
      name,
      local_only: localOnly,
      chain: [...chain],
      assignments: Object.fromEntries(named),
      cloud_models: findCloudModels(models, profile),
    }];
  });
  return {
    source,
    profile: router.snapshot.profile.name,
    profiles,
    models: Object.entries(models.providers).flatMap(([id, { type, models: listed }]) =>
      Object.keys(listed).map((name) => {
        const { contextTokens = 0, chats = true, sees = false, price = null } = findModel(models, `${id}/${name}`) ??
          {};
        const usd = price && { input: price.input, output: price.output };
        return {
          ref: `${id}/${name}`,
          provider: id,
          type,
          context: contextTokens,
          embeddings: !chats,
          vision: sees,
          usd_per_million: usd,
        };
      })
    ),
  };
}

function describeChange({ router }: Program, { changes }: ReloadResult) {
  return { profile: router.snapshot.profile.name, roles: firstChoices(router), changes: [...changes] };
}

function requireOk({ ok, problems }: ReloadResult): void {
  if (ok) return;
  throw new HttpError(422, `models.json was refused, the old one goes on serving: ${problems.join("; ")}`, {
    code: "config_refused",
    problems,
  });
}

/** The one thing wrong is the name: that is a matter of the request and not of the file. */
async function setProfile(program: Program, name: string): Promise<ReloadResult> {
  try {
    return await program.setProfile(name);
  } catch (error) {
    if (!(error instanceof ConfigError) || error.problems.some(({ path }) => path !== "profile")) throw error;
    const names = Object.keys(program.config.models.profiles).join(", ");
    throw new HttpError(422, `There is no profile ${quote(name)}; there are ${names}`, {
      code: "unknown_profile",
      param: "profile",
    });
  }
}

async function testModel({ router }: Program, provider: string, model: string | undefined, signal: AbortSignal) {
  const { models } = router.snapshot;
  const settings = Object.hasOwn(models.providers, provider) ? models.providers[provider] : undefined;
  const name = model ?? Object.entries(settings?.models ?? {}).find(([, { embeddings }]) => !embeddings)?.[0];
  if (!settings || name === undefined || !findModel(models, `${provider}/${name}`)?.chats) {
    throw new HttpError(422, "models.json lists no such model that chats", {
      code: "unknown_model",
      param: settings ? "model" : "provider",
    });
  }
  try {
    const { latency_ms, first_token_ms } = await router.test(`${provider}/${name}`, signal);
    return { ok: true, provider, model: name, latency_ms, first_token_ms, error: null, error_kind: null };
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    const text = withRemedy(error.message, error.remedy);
    return {
      ok: false,
      provider,
      model: name,
      latency_ms: null,
      first_token_ms: null,
      error: text,
      error_kind: error.kind,
    };
  }
}
