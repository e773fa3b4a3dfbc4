import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { withRemedy } from "../core/errors.ts";
import { CHAT_ROLES } from "../core/types.ts";
import { planChat, planEmbedding } from "../router/chain.ts";
import { isRefusal, providerOf } from "../router/snapshot.ts";
import { answers, createApi } from "./context.ts";
import type { Program } from "./program.ts";
import { routerStatusSchema } from "./schemas.ts";

const statusRoute = createRoute({
  method: "get",
  path: "/api/router/status",
  summary: "Profile, chain, roles, and how each provider is doing",
  responses: answers(routerStatusSchema, "the state right now"),
});

type RoutingProgram = Pick<Program, "router" | "seal">;

/** How the router is doing. */
export function createRouterStatus(program: RoutingProgram): OpenAPIHono {
  const api = createApi();
  api.openapi(statusRoute, (c) => c.json(describeStatus(program), 200));
  return api;
}

function describeStatus({ router, seal }: RoutingProgram) {
  const { snapshot, lanes } = router;
  const { profile, models } = snapshot;
  const providers = Object.keys(models.providers).map((id) => {
    const found = providerOf(snapshot, id);
    const usable = !isRefusal(found);
    const reason = usable ? null : withRemedy(found.reason, found.remedy);
    return [id, { usable, reason, ...requireLane(lanes, id) }] as const;
  });
  return {
    profile: profile.name,
    local_only: profile.localOnly,
    sealed: seal.sealed,
    chain: [...profile.chain],
    roles: firstChoices(router),
    vision: CHAT_ROLES.filter((role) => planChat(models, profile, role)[0]?.sees),
    providers: Object.fromEntries(providers),
  };
}

function requireLane(lanes: RoutingProgram["router"]["lanes"], id: string) {
  const lane = lanes[id];
  if (!lane) throw new Error(`Provider ${id} has no lane`);
  return lane;
}

/** The model each role is answered by when all is well. */
export function firstChoices(
  { snapshot: { models, profile } }: RoutingProgram["router"],
): Record<string, string | null> {
  const chat = CHAT_ROLES.map((role) => [role, planChat(models, profile, role)[0]?.ref ?? null]);
  return Object.fromEntries([...chat, ["embeddings", planEmbedding(models, profile)[0]?.ref ?? null]]);
}
