/**
 * The program in the current folder, under load: `endless_calls.ts` asks its model again and again, several callers at
 * a time, and prints the conversation id of each call once it has its answer. `endless_calls.ts catch-up` asks once,
 * waits until everything has been shared, and ends.
 */
import { openAgent } from "../../src/app.ts";

const CALLERS = 6;

const agent = await openAgent({
  configDir: "config",
  configNamed: true,
  dataDir: "data",
  cloud: false,
  seal: { sealed: true, sandboxed: true },
});

/** Every other call streams. */
async function call(stream: boolean): Promise<void> {
  const request = { prompt: "¿Quién eres?", conversation_id: crypto.randomUUID() };
  if (stream) await Array.fromAsync(agent.router.stream(request));
  else await agent.router.generate(request);
  Deno.stdout.writeSync(new TextEncoder().encode(`${request.conversation_id}\n`));
}

async function callForEver(caller: number): Promise<never> {
  for (let turn = caller;; turn++) await call(turn % 2 === 0);
}

if (Deno.args[0] === "catch-up") {
  await call(false);
  const local = await agent.usage.openLocal();
  while (local.countUnshared() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await agent[Symbol.asyncDispose]();
} else {
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => callForEver(caller)));
}
