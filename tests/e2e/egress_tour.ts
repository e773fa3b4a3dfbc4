/** Everything that a served program may be asked and that could lead it elsewhere. */
import assert from "node:assert/strict";
import type { Served } from "./served.ts";

/** A file as people keep it, full of places to fetch something from. */
const NOTES = `# Tomates

Los tomates se riegan cada dos días, dice [la vecina](https://evil.example/tomates).

![riego](http://192.0.2.7/riego.png) <img src="http://evil.example/riego.png"> <script src="//evil.example/x.js"></script>
`;
const QUESTION = "¿Cada cuánto se riegan los tomates? Mira http://evil.example/tomates";

/** What became of a request. */
export interface Outcome {
  readonly status: number;
  /** Who answered, of `/v1`. */
  readonly provider: string | null;
  readonly text: string;
}

/** Sends JSON; without a body, asks. */
export async function send(served: Served, path: string, body?: object, method = "POST"): Promise<Outcome> {
  const sent = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(served.origin + path, body && sent);
  return {
    status: response.status,
    provider: response.headers.get("x-django-provider"),
    text: await response.text(),
  };
}

/** One answer of `/v1` by this model, as it is and streamed, which have to agree on who gave it. */
export async function complete(served: Served, model: string): Promise<Outcome> {
  const messages = [{ role: "user", content: "Hola" }];
  const outcome = await send(served, "/v1/chat/completions", { model, messages });
  const streamed = await send(served, "/v1/chat/completions", { model, messages, stream: true });
  assert.deepEqual([streamed.status, streamed.provider], [outcome.status, outcome.provider], model);
  return outcome;
}

/** Teaches it a file with links and pictures, and has it draw on that in every mode. */
export async function converse(served: Served): Promise<void> {
  const taught = await send(served, "/api/memory/semantic", { content: NOTES, source: "huerto.md" });
  assert.equal(taught.status, 200, taught.text);
  for (const cognitive_mode of [1, 2, 3]) {
    const { status, text } = await send(served, "/api/chat", { message: QUESTION, cognitive_mode });
    assert.equal(status, 200, text);
    assert.match(text, /"source":"huerto\.md"/, "it has not drawn on the file");
  }
}

/** Asks for pictures at addresses, which are never fetched. */
export async function showPictures(served: Served): Promise<void> {
  const picture = { type: "image_url", image_url: { url: "http://evil.example/a.png" } };
  const messages = [{ role: "user", content: [{ type: "text", text: "Hola" }, picture] }];
  assert.equal((await send(served, "/v1/chat/completions", { model: "auto", messages })).status, 400);
  const images = ["http://192.0.2.7/a.png"];
  assert.equal((await send(served, "/api/chat", { message: "Hola", images })).status, 422);
}

/** Opens the page with everything it names, and reads what else there is to read. */
export async function look(served: Served): Promise<void> {
  const page = await send(served, "/");
  const assets = [...page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = ""]) => path);
  assert.ok(assets.length > 0, page.text);
  const rest = ["/health", "/metrics", "/openapi.json", "/v1/models", "/api/router/status", "/api/models/config"];
  for (const path of [...assets, ...rest, "/api/privacy", "/api/token-usage", "/api/memory/stats"]) {
    assert.equal((await send(served, path)).status, 200, path);
  }
}
