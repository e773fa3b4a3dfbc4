/**
 * `deno task demo`: the real program, with everything it talks to made up, on free ports of this machine. Every few
 * seconds something fails, and comes back. Ctrl-C ends all of it.
 */
import { BOT_ID } from "../support/fake_gateway.ts";
import { type BotWorld, createBotWorld } from "../e2e/bot_world.ts";
import { serve, type Served } from "../e2e/served.ts";
import { KEYS, withEmbeddings } from "../e2e/setup.ts";

/** How long the demo goes on, and what it says; for the script that takes pictures of it, too. */
export interface Demo extends AsyncDisposable {
  readonly origin: string;
  /** Resolves, with what it has told, when the program ends. */
  readonly ended: Promise<string>;
  /** What is to happen next, for ever: something is said, something fails. */
  step(): Promise<void>;
}

const BANNER = "Simulated: models, Discord and conversation are made up · Simulado: todo esto es inventado";
const NOTES = "# Riego\n\nLos tomates se riegan cada dos días, por la mañana. El huerto está al sur de la casa.\n";
const QUESTIONS = [
  "¿Cada cuánto se riegan los tomates?",
  "What grows well beside tomatoes?",
  "¿Dónde está el huerto?",
  "Resume lo que hemos hablado.",
];
const ANSWERS = [
  "Cada dos días, por la mañana: así lo dicen tus notas.",
  "Basil and marigolds get along with tomatoes.",
  "Al sur de la casa.",
  "Hablamos del riego y de qué plantar al lado.",
];
const CHATTER = ["Hoy ha llovido un poco", "Mis tomates ya tienen flor", "¿Alguien tiene semillas de albahaca?"];

/** Starts everything; what has been started is ended again when something of it fails. */
export async function startDemo(): Promise<Demo> {
  await using started = new AsyncDisposableStack();
  const world = started.use(
    await createBotWorld({ cooldown_seconds: 1 }, (models) => ({
      ...withEmbeddings(models),
      profile: "balanced",
      fallback_chain: ["gemini/gemini-3.5-flash-lite", "groq/openai/gpt-oss-120b", "ollama/llama3.2"],
      circuit_breaker: { failure_threshold: 2, recovery_seconds: 8 },
      server: { banner: BANNER },
    })),
  );
  world.world.ollama.setModels(["llama3.2", "small", { name: "embeddinggemma", capabilities: ["embedding"] }]);
  const args = ["serve", "--port", "0", "--cloud"];
  const served = started.use(await serve(world.world, args, { env: { ...KEYS, ...world.env } }));
  await served.post("/api/memory/semantic", { content: NOTES, source: "huerto.md" });
  const running = started.move();
  let count = 0;
  return {
    origin: served.origin,
    ended: served.program.finished.then(({ stderr }) => stderr),
    step: () => step(world, served, count++),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** One after the other, over and over: plain talk, an outage and its end, a rate limit, a cut stream. */
async function step({ world, say }: BotWorld, served: Served, count: number): Promise<void> {
  const { gemini, groq, ollama } = world;
  const at = count % QUESTIONS.length;
  for (const provider of [gemini, groq, ollama]) {
    provider.always({ kind: "answer", tokens: piecesOf(ANSWERS[at] ?? ""), firstTokenDelayMs: 150, gapMs: 20 });
  }
  switch (count % 12) {
    case 2:
      await gemini.down();
      break;
    case 7:
      await gemini.up();
      break;
    case 8:
      gemini.next({ kind: "status", status: 429, headers: { "retry-after": "3" } });
      break;
    case 10:
      gemini.next({ kind: "cut", after: 2 });
  }
  say(CHATTER[count % CHATTER.length] ?? "");
  if (count % 3 === 1) say(`<@${BOT_ID}> ${QUESTIONS[at]}`);
  const request = {
    message: QUESTIONS[at],
    conversation_id: "demo",
    role: count % 2 === 0 ? "identity_core" : "technical",
  };
  await served.post("/api/chat", request).catch(() => {}); // the page shows what went wrong
}

function piecesOf(text: string): string[] {
  return text.split(/(?<= )/);
}

if (import.meta.main) {
  // Before anything is started, so that nothing of it outlives a Ctrl-C.
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
  let isOver = false;
  const over = stopped.then(() => isOver = true);
  const demo = await startDemo().catch((error) => {
    if (isOver) Deno.exit(0); // Ctrl-C at a terminal has ended the program as well
    throw error;
  });
  if (!isOver) console.log(`The demo is at ${demo.origin}. Everything in it is simulated. Ctrl-C ends it.`);
  demo.ended.then((told) => {
    if (!isOver) console.error(`The program has ended:\n${told}`);
    stop();
  });
  while (!isOver) {
    await Promise.race([over, demo.step()]);
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 2000))]);
  }
  await demo[Symbol.asyncDispose]();
  Deno.exit(0);
}
