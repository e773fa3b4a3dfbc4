import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { isLoopback } from "../core/address.ts";
import { isDashboardPath } from "./dashboard/dashboard.ts";
import { HttpError } from "./errors.ts";

/** Who may use the server. */
export interface GuardOptions {
  /** The address the server listens on. */
  readonly hostname: string;
  /** Names it may be called by besides those of this machine. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages that may use it, like `https://chat.example.com`. */
  readonly allowedOrigins: readonly string[];
  /** What every request has to bring, but for `/health` and for the page itself; undefined on loopback without one. */
  readonly token: string | undefined;
}

/** Told why a request was turned away. */
export type OnRefused = (reason: string) => void;

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const CORS_METHODS = "GET, POST, PUT, DELETE";
const CORS_HEADERS = "authorization, content-type, last-event-id";
const HEADER_NAMES = /^[A-Za-z0-9_-]+(, ?[A-Za-z0-9_-]+)*$/;
const CORS_EXPOSED = "x-django-provider, x-django-fallback, x-django-cost-usd, retry-after";

/** Turns away whoever has no business here, before anything of the request is read. */
export function createGuard(options: GuardOptions, onRefused: OnRefused): MiddlewareHandler {
  const origins = new Set(options.allowedOrigins);
  let lastHost: string | undefined; // that was let through: most requests name the same
  return async (c, next) => {
    const origin = c.req.header("origin");
    try {
      const host = c.req.header("host");
      if (host === undefined || host !== lastHost) requireHost(host, options);
      lastHost = host;
      if (origin !== undefined && origins.has(origin)) {
        setCorsHeaders(c, origin);
        if (c.req.method === "OPTIONS") return c.body(null, 204);
      }
      requireOrigin(c, origin, origins);
      requireToken(c, options.token);
    } catch (error) {
      if (error instanceof HttpError) onRefused(error.message);
      throw error;
    }
    await next();
  };
}

function setCorsHeaders(c: Context, origin: string): void {
  c.header("access-control-allow-origin", origin);
  c.header("access-control-allow-methods", CORS_METHODS);
  // Clients bring headers of their own; a page that may use the server may send what it likes.
  const wanted = c.req.header("access-control-request-headers") ?? "";
  c.header("access-control-allow-headers", HEADER_NAMES.test(wanted) ? wanted : CORS_HEADERS);
  c.header("access-control-expose-headers", CORS_EXPOSED);
  c.header("cross-origin-resource-policy", "cross-origin");
  c.header("vary", "origin");
}

/**
 * A page on another site can have its own name point to this machine (DNS rebinding); what it cannot do is send another
 * Host than that name. An address instead of a name cannot be rebound.
 */
function requireHost(header: string | undefined, { hostname, allowedHosts }: GuardOptions): void {
  if (header === undefined) throw new HttpError(400, "The header Host is missing", { code: "bad_request" });
  const host = hostnameOf(header);
  if (host !== undefined) {
    if (isLoopback(host) || host === hostname || allowedHosts.includes(host)) return;
    if (!isLoopback(hostname) && isAddress(host)) return;
  }
  throw new HttpError(403, "This server is not called by that name", { code: "foreign_host" });
}

function requireOrigin(c: Context, origin: string | undefined, allowed: ReadonlySet<string>): void {
  if (SAFE_METHODS.has(c.req.method)) return;
  if (origin === undefined) {
    const site = c.req.header("sec-fetch-site");
    if (site === undefined || site === "same-origin" || site === "none") return;
  } else if (allowed.has(origin) || origin === `http://${c.req.header("host")}`) return;
  throw new HttpError(403, "Pages of another origin may not change anything here", { code: "foreign_origin" });
}

function requireToken(c: Context, token: string | undefined): void {
  if (token === undefined || c.req.path === "/health" || isDashboardPath(c.req.path)) return;
  const [, given] = /^bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  if (given !== undefined && isSame(given, token)) return;
  throw new HttpError(401, given === undefined ? "A token is needed" : "That token is not the right one", {
    code: "invalid_token",
    headers: { "www-authenticate": "Bearer" },
  });
}

/** Takes the same time whatever is different, the length included. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** The name in a Host header, lower case, without port and brackets. */
function hostnameOf(header: string | undefined): string | undefined {
  const url = header === undefined || /[/?#@%\\\s]/.test(header) ? null : URL.parse(`http://${header}`);
  return url?.hostname.replace(/^\[|\]$/g, "");
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}
