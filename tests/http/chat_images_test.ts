import assert from "node:assert/strict";
import { type Api, startApi, withVision } from "../support/api.ts";
import { readError } from "../support/api_answers.ts";
import { captureLog } from "../support/captured_log.ts";
import { lastMessage, promptOf, say } from "../support/conversation.ts";
import type { FakeProvider } from "../support/fake_provider.ts";

const PIXEL = "iVBORw0KGgo=";
const IMAGES = [`data:image/png;base64,${PIXEL}`, "data:image/jpeg;base64,eA=="];
const UNSEEN = "Imágenes que venían con el mensaje y que no puedes ver: 2.";

const show = (api: Api) => say(api, "¿Qué ves?", { images: IMAGES, conversation_id: "c1" });

/** The pictures of the last message that a model was asked with. */
function imagesOf(provider: FakeProvider): unknown {
  const last = promptOf(provider).at(-1);
  return last && "images" in last ? last.images : undefined;
}

Deno.test("POST /api/chat shows pictures to a model that sees, and remembers none of them", async () => {
  await using api = await startApi({ change: withVision("llama3.2") });
  await show(api);
  assert.deepEqual(imagesOf(api.first), [PIXEL, "eA=="]);
  assert.ok(!lastMessage(promptOf(api.first)).includes(UNSEEN));
  await say(api, "¿Y ahora?", { conversation_id: "c1" });
  assert.ok(promptOf(api.first).every((message) => !("images" in message)));
});

Deno.test("POST /api/chat tells a model that sees none how many pictures there are, whoever else sees", async () => {
  await using api = await startApi({ change: withVision("small") });
  const { provider } = await show(api);
  assert.equal(provider, "first", "a picture does not change who answers");
  assert.equal(imagesOf(api.first), undefined);
  assert.ok(lastMessage(promptOf(api.first)).includes(UNSEEN));
});

Deno.test("POST /api/chat turns to the next model that sees, else answers without the pictures", async () => {
  for (const names of [["llama3.2", "small"], ["llama3.2"]]) {
    await using api = await startApi({ change: withVision(...names) });
    api.first.always({ kind: "status", status: 404 });
    const { provider, content } = await show(api);
    assert.deepEqual([provider, content], ["second", "Hola, soy Django."]);
    const doesSee = names.includes("small");
    assert.deepEqual(imagesOf(api.second), doesSee ? [PIXEL, "eA=="] : undefined);
    assert.equal(lastMessage(promptOf(api.second)).includes(UNSEEN), !doesSee);
  }
});

Deno.test("POST /api/chat answers without the pictures when the model will not have them", async () => {
  await using api = await startApi({ change: withVision("llama3.2") });
  api.first.next({ kind: "status", status: 400 });
  assert.equal((await show(api)).content, "Hola, soy Django.");
  assert.equal(imagesOf(api.first), undefined);
  assert.ok(lastMessage(promptOf(api.first)).includes(UNSEEN));
});

Deno.test("POST /api/chat takes 16 MiB with pictures, and without them what any other route takes", async () => {
  await using api = await startApi({ change: withVision("llama3.2") });
  const large = `data:image/png;base64,${"A".repeat(12 * 1024 * 1024)}`;
  await say(api, "¿Qué ves?", { images: [large] });
  const most = 1024 * 1024;
  const tooLong = { message: "a".repeat(most), images: IMAGES };
  assert.equal((await readError(await api.send("POST", "/api/chat", tooLong), 413)).code, "body_too_large");
});

Deno.test("POST /api/chat logs nothing of a picture", async () => {
  await using api = await startApi({ change: withVision("llama3.2") });
  using log = captureLog();
  api.first.always({ kind: "status", status: 500 });
  api.second.always({ kind: "status", status: 500 });
  await readError(await api.send("POST", "/api/chat", { message: "¿Qué ves?", images: IMAGES }), 502);
  await readError(await api.send("POST", "/api/chat", { message: "¿Qué ves?", images: [`${IMAGES[0]}!`] }), 422);
  assert.ok(!log.lines.join("\n").includes(PIXEL.slice(0, -1)));
});

Deno.test("POST /v1/chat/completions with pictures asks nobody who sees none, and says why", async () => {
  await using api = await startApi();
  const content = [{ type: "image_url", image_url: { url: IMAGES[0] } }];
  const request = { model: "auto", messages: [{ role: "user", content }] };
  const error = await readError(await api.send("POST", "/v1/chat/completions", request), 400);
  assert.match(
    error.message,
    /^No model can take the request\n .*first\/llama3\.2: skipped, bad_request: .*"vision": true/s,
  );
  assert.deepEqual([api.first.chats.length, api.second.chats.length], [0, 0]);
});

Deno.test("the API tells which models see, and for which roles", async () => {
  await using api = await startApi({ change: withVision("llama3.2") });
  const read = async (path: string) => await (await api.send("GET", path)).json();
  const { vision } = await read("/api/router/status");
  assert.ok(vision.includes("identity_core") && !vision.includes("embeddings"));
  const { models } = await read("/api/models/config");
  const seen = models.filter((model: { vision: boolean }) => model.vision).map((model: { ref: string }) => model.ref);
  assert.deepEqual(seen, ["first/llama3.2"]);
});
