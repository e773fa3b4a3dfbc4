import { Hono } from "hono";
import { once } from "../../core/once.ts";
import { HttpError } from "../errors.ts";

/** What a browser may ask for without a token: the page itself, which knows nothing. */
export function isDashboardPath(path: string): boolean {
  return path === "/" || path.startsWith("/assets/");
}

/** The page and its files, from memory. What it shows it asks the API for. */
export function createDashboard(): Hono {
  const app = new Hono();
  const load = once(async () => {
    const { createAssets, IMPORT_MAP } = await import("./assets.ts");
    return { assets: await createAssets(), importMap: JSON.stringify(IMPORT_MAP) };
  });
  app.get("/", async (c) => {
    const { importMap } = await load();
    const nonce = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    return c.html(page(importMap, nonce), 200, { "content-security-policy": policy(nonce) });
  });
  app.get("/assets/:name", async (c) => {
    const { assets } = await load();
    const asset = assets.get(c.req.param("name"));
    if (!asset) throw new HttpError(404, "There is nothing at this path", { code: "not_found" });
    const headers = { "cache-control": "no-cache", etag: asset.etag, vary: "accept-encoding" };
    if (c.req.header("if-none-match") === asset.etag) return c.body(null, 304, headers);
    const takesGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(c.req.header("accept-encoding") ?? "");
    return c.body(takesGzip ? asset.gzipped : asset.bytes, 200, {
      ...headers,
      "content-type": asset.type,
      ...(takesGzip && { "content-encoding": "gzip" }),
    });
  });
  return app;
}

/** Nothing from anywhere else, and no script that is not of this server. */
function policy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function page(importMap: string, nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>django-agent</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/style.css">
<link rel="stylesheet" href="/assets/uplot.css">
<script type="importmap" nonce="${nonce}">${importMap}</script>
<script src="/assets/uplot.js" nonce="${nonce}" defer></script>
<script type="module" src="/assets/main.ts" nonce="${nonce}"></script>
</head>
<body><div id="page"><noscript>This page needs JavaScript. The API is described at /openapi.json.</noscript></div></body>
</html>
`;
}
