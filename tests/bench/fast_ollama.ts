/** A provider that costs as little as it can: Ollama's chat protocol with prepared bytes, in a process of its own. */

const encoder = new TextEncoder();
const MODEL = "bench";
const TOKENS_A_CHUNK = 20;
const line = (content: string) =>
  `{"model":"${MODEL}","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"${content}"},"done":false}\n`;
const token = line(" palabra");
const chunk = encoder.encode(token.repeat(TOKENS_A_CHUNK));
const last = (tokens: number, promptTokens: number) =>
  encoder.encode(
    `{"model":"${MODEL}","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,` +
      `"done_reason":"stop","total_duration":1,"load_duration":0,"prompt_eval_count":${promptTokens},"prompt_eval_duration":1,` +
      `"eval_count":${tokens},"eval_duration":1}\n`,
  );

function stream(tokens: number, promptTokens: number): ReadableStream<Uint8Array> {
  let left = tokens;
  return new ReadableStream({
    pull(controller) {
      if (left >= TOKENS_A_CHUNK) {
        left -= TOKENS_A_CHUNK;
        return controller.enqueue(chunk);
      }
      if (left > 0) controller.enqueue(encoder.encode(token.repeat(left)));
      controller.enqueue(last(tokens, promptTokens));
      controller.close();
    },
  });
}

/** `num_predict` says how many tokens are wanted; the prompt may ask for a pause before the first. */
async function chat(request: Request): Promise<Response> {
  const body = await request.json();
  const tokens = body.options?.num_predict ?? 8;
  const pauseMs = Number(/^pause (\d+)/.exec(body.messages?.at(-1)?.content)?.[1] ?? 0);
  if (pauseMs > 0) await new Promise((done) => setTimeout(done, pauseMs));
  return new Response(stream(tokens, promptTokensOf(body.messages ?? [])), {
    headers: { "content-type": "application/x-ndjson" },
  });
}

/** As many as a model would count, or the router would take a long prompt for a cut one. */
function promptTokensOf(messages: readonly { readonly content: string }[]): number {
  return Math.max(26, messages.reduce((sum, { content }) => sum + content.length, 0) >> 2);
}

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) }, (request) => {
  switch (new URL(request.url).pathname) {
    case "/api/chat":
      return chat(request);
    case "/api/ps":
      return Response.json({ models: [{ name: `${MODEL}:latest`, model: `${MODEL}:latest`, context_length: 131072 }] });
    case "/api/tags":
      return Response.json({ models: [{ name: `${MODEL}:latest`, model: `${MODEL}:latest`, size: 1 }] });
    default:
      return Response.json({ error: "not found" }, { status: 404 });
  }
});
