import assert from "node:assert/strict";
import { Hono } from "hono";
import { type BodyLimits, jsonBody } from "../../src/http/body.ts";
import { answerError } from "../../src/http/errors.ts";
import { type Api, startApi } from "../support/api.ts";
import { errorIn } from "../support/api_answers.ts";
import { connectTo, type RawAnswer, rawRequest, readAnswer, sendRaw, writeAll } from "../support/raw_http.ts";

const MIB = 1024 * 1024;

interface Echo extends AsyncDisposable {
  readonly origin: string;
  /** What the handler was given, in order. */
  readonly taken: unknown[];
  /** Resolves with the status of the next request that was refused. */
  refused(): Promise<number>;
}

/** A server whose only route takes a body within these limits. */
function startEcho(limits: BodyLimits): Echo {
  const taken: unknown[] = [];
  let refused = Promise.withResolvers<number>();
  const app = new Hono();
  app.onError((error, c) => {
    const response = answerError(error, c);
    refused.resolve(response.status);
    return response;
  });
  app.put("/", jsonBody(limits), async (c) => {
    taken.push(await c.req.json());
    return c.json({ length: JSON.stringify(taken.at(-1)).length });
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => app.fetch(request));
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    taken,
    refused: async () => {
      const status = await refused.promise;
      refused = Promise.withResolvers();
      return status;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function head(lines: readonly string[], path = "/"): string {
  return rawRequest([`PUT ${path} HTTP/1.1`, "host: localhost", "connection: close", ...lines]);
}

const JSON_TYPE = "content-type: application/json";

async function putRaw(api: Api, lines: readonly string[], body: string | Uint8Array = ""): Promise<RawAnswer> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const first = new TextEncoder().encode(head([...lines, `content-length: ${bytes.length}`], "/api/models/profile"));
  return await sendRaw(api.origin, new Uint8Array([...first, ...bytes]));
}

async function outcomeOf(answer: Promise<RawAnswer>): Promise<string> {
  const { status, body } = await answer;
  return `${status} ${status === 200 ? "" : errorIn(body).code}`;
}

Deno.test("jsonBody() refuses what is not JSON with the status that says why", async () => {
  await using api = await startApi();
  const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const cases: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["nothing", "", "400 malformed_body"],
    ["blanks", " \n\t", "400 malformed_body"],
    ["words", "nope", "400 malformed_body"],
    ["half an object", '{"profile":', "400 malformed_body"],
    ["two objects", "{}{}", "400 malformed_body"],
    ["a comment", "{/* */}", "400 malformed_body"],
    ["a comma too many", '{"profile":"small_first",}', "400 malformed_body"],
    ["NaN", '{"profile":NaN}', "400 malformed_body"],
    ["a control letter in a text", '{"profile":"a\u0000"}', "400 malformed_body"],
    ["Latin-1", bytes('{"profile":"\xf1"}'), "400 malformed_body"],
    ["half a letter", bytes('{"profile":"\xc3'), "400 malformed_body"],
    ["a surrogate as UTF-8", bytes('{"profile":"\xed\xa0\x80"}'), "400 malformed_body"],
    ["UTF-16", bytes("\xff\xfe{\0}\0"), "400 malformed_body"],
    ["null", "null", "422 invalid_value"],
    ["a list", "[]", "422 invalid_value"],
    ["a byte order mark before an object", '\ufeff{"profile":"small_first"}', "200 "],
    ["what it should be", '{"profile":"privacy_mode"}', "200 "],
  ];
  for (const [name, body, expected] of cases) {
    assert.equal(await outcomeOf(putRaw(api, [JSON_TYPE], body)), expected, name);
  }
  assert.equal(api.agent.router.snapshot.profile.name, "privacy_mode");
});

Deno.test("jsonBody() takes only what calls itself JSON", async () => {
  await using api = await startApi();
  const body = '{"profile":"small_first"}';
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json-seq",
    "text/json",
    "application/jsonx",
    "; application/json",
    "text/plain; application/json",
    "application/json ; charset=utf-8",
    "application/json, text/plain",
    "",
  ];
  for (const type of types) {
    assert.equal(await outcomeOf(putRaw(api, [`content-type: ${type}`], body)), "415 unsupported_media_type", type);
  }
  assert.equal(await outcomeOf(putRaw(api, [], body)), "415 unsupported_media_type", "none at all");
  assert.equal(api.agent.router.snapshot.profile.name, "privacy_mode");
  assert.equal(await outcomeOf(putRaw(api, ["content-type: Application/JSON; charset=utf-8"], body)), "200 ");
  assert.equal(api.agent.router.snapshot.profile.name, "small_first");
});

Deno.test("jsonBody() refuses a body that names more than 1 MiB before any of it has arrived", async () => {
  await using api = await startApi();
  for (const length of [MIB + 1, 10_000_000_000]) {
    using connection = await connectTo(api.origin);
    await writeAll(connection, head([JSON_TYPE, `content-length: ${length}`], "/api/models/profile"));
    const { status, body } = await readAnswer(connection); // nothing of the body has been sent
    assert.equal(status, 413, body);
    const { code, message } = errorIn(body);
    assert.deepEqual([code, message], ["body_too_large", "The body is larger than 1 MiB"]);
  }
});

Deno.test("jsonBody() takes a body of exactly its limit, however it comes", async () => {
  await using echo = startEcho({ maxBytes: 1000, maxMs: 60_000 });
  const text = JSON.stringify("x".repeat(998));
  assert.equal((await sendRaw(echo.origin, head([JSON_TYPE, "content-length: 1000"]) + text)).status, 200);
  const pieces = `${toChunk(text.slice(0, 400))}${toChunk(text.slice(400))}`;
  assert.equal((await sendRaw(echo.origin, head([JSON_TYPE, CHUNKED]) + pieces + toChunk(""))).status, 200);
  assert.deepEqual(echo.taken, [JSON.parse(text), JSON.parse(text)]);
  const longer = JSON.stringify("x".repeat(999));
  assert.equal((await sendRaw(echo.origin, head([JSON_TYPE, "content-length: 1001"]) + longer)).status, 413);
  assert.equal((await sendRaw(echo.origin, head([JSON_TYPE, CHUNKED]) + toChunk(longer) + toChunk(""))).status, 413);
  assert.equal(echo.taken.length, 2);
});

const CHUNKED = "transfer-encoding: chunked";

function toChunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

Deno.test("jsonBody() counts a body that names no length, and stops reading where it becomes too large", async () => {
  await using api = await startApi();
  using connection = await connectTo(api.origin);
  await writeAll(connection, head([JSON_TYPE, CHUNKED], "/api/models/profile"));
  // Never ended: only a server that counts can answer.
  for (let sent = 0; sent <= MIB; sent += 65_536) await writeAll(connection, toChunk("[".repeat(65_536)));
  const { status, body } = await readAnswer(connection);
  assert.equal(status, 413, body);
  assert.equal(errorIn(body).code, "body_too_large");
});

Deno.test("jsonBody() refuses nesting that is too deep, before anything walks through it", async () => {
  await using api = await startApi();
  const lists = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const objects = (depth: number) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  for (const nested of [lists, objects]) {
    assert.equal(await outcomeOf(putRaw(api, [JSON_TYPE], nested(64))), "422 invalid_value");
    for (const depth of [65, 100_000]) {
      const { status, body } = await putRaw(api, [JSON_TYPE], nested(depth));
      assert.equal(status, 400);
      assert.match(errorIn(body).message, /nested more than 64 deep/);
    }
  }
  assert.equal(await outcomeOf(putRaw(api, [JSON_TYPE], "[".repeat(1_000_000))), "400 malformed_body");
});

Deno.test("jsonBody() does not count brackets inside texts, nor lists beside each other", async () => {
  await using echo = startEcho({ maxBytes: MIB, maxMs: 60_000 });
  const values = [
    { a: "[".repeat(100), 'b"\\': '"{[\\'.repeat(50), c: "\\" },
    Array.from({ length: 200 }, () => [[]]),
  ];
  for (const value of values) {
    const text = JSON.stringify(value);
    const { status, body } = await sendRaw(echo.origin, head([JSON_TYPE, `content-length: ${text.length}`]) + text);
    assert.equal(status, 200, body);
  }
  assert.deepEqual(echo.taken, values);
  const hidden = `{"a":"\\"",${'"b":['.padEnd(5)}${"[".repeat(64)}`;
  const { status, body } = await sendRaw(
    echo.origin,
    head([JSON_TYPE, `content-length: ${hidden.length}`]) + hidden,
  );
  assert.equal(status, 400);
  assert.match(errorIn(body).message, /nested more than/); // seen behind an escaped quotation mark
});

Deno.test("jsonBody() gives a body that comes byte by byte only so much time", async () => {
  await using echo = startEcho({ maxBytes: MIB, maxMs: 100 });
  for (const framing of ["content-length: 100000", CHUNKED]) {
    using connection = await connectTo(echo.origin);
    await writeAll(connection, head([JSON_TYPE, framing]));
    let answered = false;
    const answer = readAnswer(connection).finally(() => answered = true);
    while (!answered) {
      await writeAll(connection, framing === CHUNKED ? toChunk("[") : "[");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { status, body } = await answer;
    assert.equal(status, 408, body);
    assert.equal(errorIn(body).code, "body_timeout");
  }
  assert.deepEqual(echo.taken, []);
});

Deno.test("jsonBody() gives up when the client hangs up half-way", async () => {
  await using echo = startEcho({ maxBytes: MIB, maxMs: 60_000 });
  for (const framing of ["content-length: 100", CHUNKED]) {
    const connection = await connectTo(echo.origin);
    await writeAll(connection, head([JSON_TYPE, framing]) + (framing === CHUNKED ? toChunk('{"a":') : '{"a":'));
    connection.close();
    assert.equal(await echo.refused(), 400);
  }
  assert.deepEqual(echo.taken, []);
});

Deno.test("jsonBody() takes no body that has been compressed", async () => {
  await using api = await startApi();
  const answer = putRaw(api, [JSON_TYPE, "content-encoding: gzip"], '{"profile":"small_first"}');
  assert.equal(await outcomeOf(answer), "415 unsupported_media_type");
});
