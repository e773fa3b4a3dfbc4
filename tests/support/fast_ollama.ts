/** A provider that costs as little as it can: Ollama's chat protocol with prepared bytes, in a process of its own. */

const encoder = new TextEncoder();
const MODEL = "bench";
/** One that fails when it is told to. */
const FLAKY = "flaky";
const MODELS = [MODEL, FLAKY];
const TOKENS_A_CHUNK = 20;
const line = (content: string) =>
  `{"model":"${MODEL}","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"${content}"},"done":false}\n`;
const token = line(" palabra");
const chunk = encoder.encode(token.repeat(TOKENS_A_CHUNK));
/** Read tokens are a quarter of the letters: too few would look as if the prompt had been cut. */
const last = (letters: number, tokens: number) =>
  encoder.encode(
    `{"model":"${MODEL}","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,` +
      `"done_reason":"stop","total_duration":1,"load_duration":0,"prompt_eval_count":${
        26 + (letters >> 2)
      },"prompt_eval_duration":1,` +
      `"eval_count":${tokens},"eval_duration":1}\n`,
  );

function stream(letters: number, tokens: number): ReadableStream<Uint8Array> {
  let left = tokens;
  return new ReadableStream({
    pull(controller) {
      if (left >= TOKENS_A_CHUNK) {
        left -= TOKENS_A_CHUNK;
        return controller.enqueue(chunk);
      }
      if (left > 0) controller.enqueue(encoder.encode(token.repeat(left)));
      controller.enqueue(last(letters, tokens));
      controller.close();
    },
  });
}

/** Begins an answer and leaves it at that, for a reader who hangs up. */
function unfinished(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(chunk) });
}

function lettersIn({ messages = [] }: { readonly messages?: readonly { readonly content?: string }[] }): number {
  return messages.reduce((sum, { content = "" }) => sum + content.length, 0);
}

const named = (name: string) => ({ name: `${name}:latest`, model: `${name}:latest` });

/** How often each model was asked, for who wants to compare. */
const asked: Record<string, number> = {};

/** `num_predict` says how many tokens are wanted; the prompt may ask for a pause before the first, or for no end. */
async function chat(request: Request): Promise<Response> {
  const body = await request.json();
  asked[body.model] = (asked[body.model] ?? 0) + 1;
  const tokens = body.options?.num_predict ?? 8;
  const prompt = body.messages?.at(-1)?.content;
  if (body.model === FLAKY && prompt === "fail") return Response.json({ error: "server busy" }, { status: 503 });
  const pauseMs = Number(/^pause (\d+)/.exec(prompt)?.[1] ?? 0);
  if (pauseMs > 0) await new Promise((done) => setTimeout(done, pauseMs));
  return new Response(prompt === "no end" ? unfinished() : stream(lettersIn(body), tokens), {
    headers: { "content-type": "application/x-ndjson" },
  });
}

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) }, (request) => {
  switch (new URL(request.url).pathname) {
    case "/api/chat":
      return chat(request);
    case "/api/ps":
      return Response.json({ models: MODELS.map((name) => ({ ...named(name), context_length: 131072 })) });
    case "/api/tags":
      return Response.json({ models: MODELS.map((name) => ({ ...named(name), size: 1 })) });
    case "/asked":
      return Response.json(asked);
    default:
      return Response.json({ error: "not found" }, { status: 404 });
  }
});
