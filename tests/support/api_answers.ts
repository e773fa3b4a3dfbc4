/** What every answer of the API has in common. */
import assert from "node:assert/strict";

export interface ShownError {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  readonly param?: string;
  readonly problems?: readonly string[];
}

const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** The page may have scripts and styles, from its own server alone. */
const PAGE_POLICY =
  /^default-src 'none'; script-src 'nonce-[\w+/=]{20,}' 'strict-dynamic'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/;

/** Holds an answer, whatever its status, to the headers that all of them carry. */
export function assertSecurityHeaders(headers: Headers): void {
  const found = Object.fromEntries(Object.keys(SECURITY_HEADERS).map((name) => [name, headers.get(name)]));
  if (headers.get("content-type")?.startsWith("text/html")) {
    assert.match(found["content-security-policy"] ?? "", PAGE_POLICY);
    found["content-security-policy"] = SECURITY_HEADERS["content-security-policy"];
  }
  assert.deepEqual(found, SECURITY_HEADERS);
}

/** The error in a body, which may have no other shape. */
export function errorIn(body: string): ShownError {
  const { error, ...others } = JSON.parse(body);
  assert.deepEqual(others, {});
  for (const field of ["message", "type", "code"]) {
    assert.equal(typeof error[field], "string", `error.${field} of ${body}`);
    assert.notEqual(error[field], "");
  }
  return error;
}

/** Reads an answer that has to be an error of this status, in the one shape there is. */
export async function readError(response: Response, status: number): Promise<ShownError> {
  const body = await response.text();
  assert.equal(response.status, status, body);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assertSecurityHeaders(response.headers);
  return errorIn(body);
}

/** Reads an answer that has to be fine. */
export async function readOk<Body>(response: Response): Promise<Body> {
  const body = await response.text();
  assert.equal(response.status, 200, body);
  assertSecurityHeaders(response.headers);
  return JSON.parse(body);
}
