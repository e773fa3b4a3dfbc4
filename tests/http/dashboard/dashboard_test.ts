import assert from "node:assert/strict";
import { startApi, TOKEN } from "../../support/api.ts";
import { readError } from "../../support/api_answers.ts";

/** Most that the page may weigh, in bytes as they go over the wire. */
const MOST_BYTES = 150_000;

/** Files that a text names, by their place on the server. */
function namedIn(text: string): string[] {
  const assets = [...text.matchAll(/"(\/assets\/[\w.]+)"/g)].map(([, path = ""]) => path);
  const modules = [...text.matchAll(/ from "\.\/([\w.]+)"/g)].map(([, name = ""]) => `/assets/${name}`);
  return [...assets, ...modules];
}

Deno.test("GET / is a page that needs nothing from anywhere else, and weighs little", async () => {
  await using api = await startApi();
  const response = await api.send("GET", "/");
  assert.equal(response.headers.get("content-type"), "text/html; charset=UTF-8");
  const policy = response.headers.get("content-security-policy") ?? "";
  const html = await response.text();
  const [, nonce = ""] = /nonce-([^']+)'/.exec(policy) ?? [];
  assert.equal(html.split(`nonce="${nonce}"`).length - 1, html.split("<script").length - 1);
  assert.ok(nonce.length >= 20);
  assert.match(policy, /^default-src 'none'; script-src 'nonce-[^']+' 'strict-dynamic'; style-src 'self'; /);
  assert.doesNotMatch(policy, /unsafe|\*|http/);
  const found = new Set(namedIn(html));
  let bytes = html.length;
  for (const path of found) {
    const asset = await api.send("GET", path, undefined, { "accept-encoding": "gzip" });
    assert.deepEqual([asset.status, asset.headers.get("content-encoding")], [200, "gzip"], path);
    const text = await asset.text(); // unpacked
    for (const name of namedIn(text)) found.add(name);
    assert.doesNotMatch(text, /sourceMappingURL|^import type/m, path);
    bytes += Number(asset.headers.get("content-length") ?? NaN);
  }
  assert.ok(found.size >= 16, String([...found]));
  assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
});

Deno.test("GET / has another nonce each time", async () => {
  await using api = await startApi();
  const policies = await Promise.all([1, 2].map(async () => {
    const response = await api.send("GET", "/");
    await response.body?.cancel();
    return response.headers.get("content-security-policy");
  }));
  assert.notEqual(policies[0], policies[1]);
});

Deno.test("GET /assets/ sends nothing a second time that has not changed", async () => {
  await using api = await startApi();
  const first = await api.send("GET", "/assets/style.css");
  assert.match(await first.text(), /prefers-color-scheme: light/);
  const etag = first.headers.get("etag") ?? "";
  const second = await api.send("GET", "/assets/style.css", undefined, { "if-none-match": etag });
  assert.deepEqual([second.status, await second.text()], [304, ""]);
});

Deno.test("GET /assets/ packs for whoever can unpack it, and for nobody else", async () => {
  await using api = await startApi();
  const asked = [["gzip", "gzip"], ["br, gzip;q=0.5", "gzip"], ["gzip;q=0", null], ["gzip; q=0.0, br", null], [
    "identity",
    null,
  ]];
  for (const [encodings, expected] of asked) {
    const response = await api.send("GET", "/assets/style.css", undefined, { "accept-encoding": encodings ?? "" });
    assert.match(await response.text(), /prefers-color-scheme/);
    assert.equal(response.headers.get("content-encoding"), expected, encodings ?? "");
  }
});

Deno.test("GET /assets/ has nothing but the files of the page", async () => {
  await using api = await startApi();
  for (const name of ["nothing.js", "..%2f..%2fdeno.json", "__proto__", "constructor"]) {
    await readError(await api.send("GET", `/assets/${name}`), 404);
  }
});

Deno.test("the page can be had without the token, and nothing else", async () => {
  await using api = await startApi({ token: TOKEN });
  for (const path of ["/", "/assets/main.ts"]) {
    const response = await api.send("GET", path);
    assert.equal(response.status, 200);
    assert.ok(!(await response.text()).includes(TOKEN));
  }
  for (const path of ["/api/router/status", "/assets", "/assetsx", "//", "/api/events"]) {
    const response = await api.send("GET", path);
    await response.body?.cancel();
    assert.equal(response.status, 401, path);
  }
});

Deno.test("GET /health tells the banner that stands above the page", async () => {
  await using api = await startApi({ change: (models) => ({ ...models, server: { banner: "Casa de Ana" } }) });
  const { banner } = await (await api.send("GET", "/health")).json();
  assert.equal(banner, "Casa de Ana");
});
