import { isLoopback } from "../core/address.ts";
import { AgentError } from "../core/errors.ts";
import type { Agent } from "./agent.ts";
import { failWith, type Finding, ok, warn } from "./doctor_finding.ts";

/** What `doctor` finds of persona, rules and memory. */
export async function* checkMind(agent: Agent): AsyncGenerator<Finding> {
  yield await tryTo("prompts", async () => {
    await agent.chat.prepare();
    return ok("prompts", "persona, rules and texts can be used");
  });
  yield await tryTo("memory database", async () => await describeMemory(agent));
  const { searxng_url } = agent.config.models.chat;
  if (searxng_url !== undefined) yield describeWebSearch(searxng_url, agent.seal.sealed);
}

function describeWebSearch(url: string, sealed: boolean): Finding {
  if (!sealed || isLoopback(new URL(url).hostname)) return ok("web search", `mode 1 asks ${url}`);
  return warn(
    "web search",
    `${url} is not on this machine, and a sealed run asks nobody else`,
    "Run a SearXNG on this machine, or start with --cloud.",
  );
}

async function describeMemory({ memory }: Agent): Promise<Finding> {
  const name = "memory database";
  const there = await Deno.stat(memory.path).then(() => true, () => false);
  if (!there) return ok(name, `${memory.path} comes with the first exchange, or with \`learn\``); // and not with a check
  const { learned_passages, episodes, vectors } = memory.stats();
  const passages = learned_passages + episodes;
  const detail = `${memory.path} holds ${learned_passages} learned passages and ${episodes} exchanges`;
  const interrupted = memory.sources().filter(({ hash }) => hash === null).length;
  if (interrupted > 0) {
    const sources = interrupted === 1 ? "1 source" : `${interrupted} sources`;
    return warn(name, `${detail}; ${sources} not learned to the end`, "Run the same `learn` again.");
  }
  return ok(name, vectors < passages ? `${detail}, ${vectors} of them with a vector` : detail);
}

async function tryTo(name: string, check: () => Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof AgentError) return failWith(name, error);
    throw error;
  }
}
