import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import { RestError } from "../../src/discord/rest_error.ts";
import { BOT_TOKEN } from "../support/fake_gateway.ts";
import { type Scene, SECRET, setScene, until } from "./gateway_scene.ts";

// None of these starts the gateway: the REST side works by itself.

const CHANNEL = "2234567890123456789";
let count = 0;

function post({ gateway }: Scene, channelId = CHANNEL, nonce = `n${++count}`): Promise<string | undefined> {
  return gateway.rest.post(channelId, { content: `hola ${SECRET}`, nonce });
}

async function errorOf(work: Promise<unknown>): Promise<RestError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(error instanceof RestError, String(error));
  const whole = Deno.inspect(error, { depth: 9 });
  assert.ok(!whole.includes("T0KEN") && !whole.includes(SECRET), whole);
  return error;
}

/** How long lay between the requests, in milliseconds. */
function gaps({ fake: { rest: { calls } } }: Scene): number[] {
  return calls.slice(1).map(({ atMs }, at) => atMs - (calls[at]?.atMs ?? 0));
}

Deno.test("DiscordRest.post() sends what keeps a message from pinging and from being posted twice", async () => {
  await using scene = await setScene({ userAgent: "DiscordBot (https://example.org, 7)" });
  const { gateway: { rest }, fake } = scene;
  const id = await rest.post(CHANNEL, { content: "@everyone", replyTo: "99", nonce: "1234567890123456789012345" });
  await rest.post(CHANNEL, { content: "plain", nonce: "2" });
  const [first, second] = fake.rest.calls;
  assert.equal(id, fake.rest.messages[0]?.id);
  assert.equal(first?.method, "POST");
  assert.match(first?.path ?? "", new RegExp(`^/api/v10/channels/${CHANNEL}/messages\\??$`));
  assert.deepEqual(first?.body, {
    content: "@everyone",
    nonce: "1234567890123456789012345",
    enforce_nonce: true,
    allowed_mentions: { parse: [], replied_user: false },
    message_reference: { message_id: "99", fail_if_not_exists: false },
  });
  assert.equal("message_reference" in (second?.body ?? {}), false);
  assert.equal(first?.headers.authorization, `Bot ${BOT_TOKEN}`);
  assert.equal(first?.headers["user-agent"], "DiscordBot (https://example.org, 7)");
});

Deno.test("DiscordRest refuses a nonce and a channel that are none, before anything is sent", async () => {
  await using scene = await setScene();
  const { rest } = scene.gateway;
  for (const nonce of ["", "x".repeat(26)]) {
    await assert.rejects(rest.post(CHANNEL, { content: "x", nonce }), RangeError);
  }
  for (const id of ["", "../../users/@me", "1?x", "123456789012345678901"]) {
    await assert.rejects(rest.post(id, { content: "x", nonce: "n" }), RangeError);
    await assert.rejects(rest.typing(id, new AbortController().signal), RangeError);
  }
  assert.equal(scene.fake.rest.calls.length, 0);
});

for (const kind of ["cut", "silence", "stall"] as const) {
  Deno.test(`DiscordRest.post() posts once when the answer gets lost (${kind})`, async () => {
    await using scene = await setScene({ times: { requestMs: 150 } });
    scene.fake.rest.next({ kind });
    const id = await post(scene);
    assert.equal(scene.fake.rest.calls.length, 2);
    assert.deepEqual(scene.fake.rest.messages.map((message) => message.id), [id]);
  });
}

Deno.test("DiscordRest.post() gives up a server that never answers after five tries", async () => {
  await using scene = await setScene({ times: { requestMs: 40 } });
  scene.fake.rest.next(...Array.from({ length: 9 }, () => ({ kind: "silence" }) as const));
  const error = await errorOf(post(scene));
  assert.equal(error.exitCode, EXIT.unavailable);
  assert.match(error.message, /does not answer in time/);
  assert.equal(scene.fake.rest.calls.length, 5);
});

Deno.test("DiscordRest.post() gives up a server that cannot be reached or fails, after five tries", async () => {
  await using scene = await setScene();
  scene.fake.rest.next(...Array.from({ length: 5 }, () => ({ kind: "status", status: 502 }) as const));
  assert.match((await errorOf(post(scene))).message, /answers 502/);
  assert.equal(scene.fake.rest.calls.length, 5);
  await scene.fake.down();
  assert.match((await errorOf(post(scene))).message, /Cannot reach 127\.0\.0\.1:\d+: .*refused/);
});

Deno.test("DiscordRest.post() keeps to Retry-After where no other header names a time", async () => {
  await using scene = await setScene({ rateHeaders: false });
  scene.fake.rest.next({ kind: "status", status: 429, headers: { "retry-after": "0.4" } });
  assert.ok(await post(scene));
  assert.ok((gaps(scene)[0] ?? 0) >= 395);
});

Deno.test("DiscordRest.post() keeps to retry_after of the body, and to the header for the reset", async () => {
  await using scene = await setScene({ rateHeaders: false });
  scene.fake.rest.next({ kind: "status", status: 429, body: { retry_after: 0.3, global: false } });
  await post(scene);
  scene.fake.rest.next({ kind: "status", status: 429, headers: { "x-ratelimit-reset-after": "0.3" } });
  await post(scene);
  const [first = 0, , third = 0] = gaps(scene);
  assert.ok(first >= 295 && third >= 295);
});

Deno.test("DiscordRest.post() backs off from a 429 that names no time, and gives up after five", async () => {
  await using scene = await setScene({ rateHeaders: false });
  scene.fake.rest.next(...Array.from({ length: 9 }, () => ({ kind: "status", status: 429 }) as const));
  const error = await errorOf(post(scene));
  assert.equal(error.exitCode, EXIT.tempfail);
  assert.equal(scene.fake.rest.calls.length, 5);
});

Deno.test("DiscordRest.post() fails at once when the limit lasts longer than anybody waits for an answer", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "status", status: 429, body: { retry_after: 3600.5 } });
  const error = await errorOf(post(scene));
  assert.equal(error.exitCode, EXIT.tempfail);
  assert.match(error.message, /3601 s/);
  // While it lasts nothing more goes there, and elsewhere nothing is held up.
  await errorOf(post(scene));
  assert.equal(scene.fake.rest.calls.length, 1);
  assert.ok(await post(scene, "33"));
});

Deno.test("DiscordRest waits everywhere for a limit that holds everywhere", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "status", status: 429, body: { retry_after: 0.4, global: true } });
  const limited = scene.gateway.rest.typing(CHANNEL, new AbortController().signal);
  await until(() => scene.fake.rest.calls.length === 1);
  assert.ok(await post(scene, "33"));
  assert.ok((gaps(scene)[0] ?? 0) >= 350);
  await limited;
});

Deno.test("DiscordRest.post() waits when the answer before used up the limit", async () => {
  await using scene = await setScene();
  const headers = { "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "0.4" };
  scene.fake.rest.next({ kind: "status", status: 200, body: { id: "1" }, headers });
  await post(scene);
  await post(scene);
  assert.ok((gaps(scene)[0] ?? 0) >= 350);
});

Deno.test("DiscordRest.post() does not crawl where no header names a limit", async () => {
  await using scene = await setScene({ rateHeaders: false });
  for (let n = 0; n < 8; n++) await post(scene);
  // Discordeno's own queue lets a whole second pass before each of them.
  assert.ok(gaps(scene).some((gap) => gap < 900));
});

Deno.test("DiscordRest.post() keeps the order within a channel, whatever has to be tried again", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "status", status: 503 }, { kind: "cut" });
  const ids = await Promise.all([1, 2, 3, 4].map(() => post(scene)));
  assert.deepEqual(scene.fake.rest.messages.map(({ id }) => id), ids);
});

const REFUSALS = [
  [400, { code: 50006 }, EXIT.data, /shows nothing \(400, code 50006\)/],
  [401, { code: 0 }, EXIT.permission, /does not accept the bot's token/],
  [403, { code: 50013, message: `in ${SECRET}` }, EXIT.permission, /lacks a permission there/],
  [403, "<html>", EXIT.permission, /not permitted/],
  [404, { code: 10003 }, EXIT.data, /no such channel/],
  [
    400,
    { code: 50035, errors: { content: { _errors: [{ code: "BASE_TYPE_MAX_LENGTH" }] } } },
    EXIT.data,
    /content: BASE_/,
  ],
] as const;

for (const [status, body, exitCode, message] of REFUSALS) {
  Deno.test(`DiscordRest.post() tries nothing again after ${status} ${JSON.stringify(body)}`, async () => {
    await using scene = await setScene();
    scene.fake.rest.next({ kind: "status", status, body });
    const error = await errorOf(post(scene));
    assert.equal(error.exitCode, exitCode);
    assert.match(error.message, message);
    assert.equal(scene.fake.rest.calls.length, 1);
  });
}

Deno.test("DiscordRest.post() follows no redirect: the token stays where it belongs", async () => {
  await using scene = await setScene();
  const location = `${scene.fake.apiUrl}/v10/channels/${CHANNEL}/messages`;
  scene.fake.rest.next({ kind: "status", status: 307, headers: { location } });
  assert.match((await errorOf(post(scene))).message, /redirects are not followed/);
  assert.equal(scene.fake.rest.calls.length, 1);
});

Deno.test("DiscordRest.post() takes what other servers answer for a success", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "no_content" }, { kind: "status", status: 200, body: "<html>" });
  assert.deepEqual([await post(scene), await post(scene)], [undefined, undefined]);
  assert.equal(scene.fake.rest.calls.length, 2);
});

Deno.test("DiscordRest.typing() is tried once", async () => {
  await using scene = await setScene();
  await scene.gateway.rest.typing(CHANNEL, new AbortController().signal);
  scene.fake.rest.next({ kind: "status", status: 503 });
  await errorOf(scene.gateway.rest.typing(CHANNEL, new AbortController().signal));
  assert.deepEqual(scene.fake.rest.calls.map(({ path }) => path), Array(2).fill(`/api/v10/channels/${CHANNEL}/typing`));
});

Deno.test("DiscordRest.typing() does not hold up the message it announces", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "silence" });
  const typing = scene.gateway.rest.typing(CHANNEL, new AbortController().signal);
  await until(() => scene.fake.rest.calls.length === 1);
  assert.ok(await post(scene));
  await Promise.all([scene.gateway.stop(), errorOf(typing)]);
});

Deno.test("DiscordRest tells the ledger of every request and of what came back", async () => {
  const seen: [string, number][] = [];
  const note = (what: string) => (origin: string, bytes: number) => void seen.push([`${what} ${origin}`, bytes]);
  const ledger = { sent: note("to"), sentMore: note("more to"), received: note("from") };
  await using scene = await setScene({ ledger });
  await post(scene);
  const origin = new URL(scene.fake.apiUrl).origin;
  assert.deepEqual(seen.map(([what]) => what), [`to ${origin}`, `from ${origin}`]);
  assert.ok(seen.every(([, bytes]) => bytes > 20));
});

const KEY = { id: "7", token: "key", applicationId: "8" };

Deno.test("DiscordRest.answer() sends every part once, whatever a rate limit keeps away", async () => {
  await using scene = await setScene();
  const limited = { kind: "status", status: 429, body: { retry_after: 0.05 } } as const;
  await scene.gateway.rest.defer(KEY);
  scene.fake.rest.next({ kind: "answer" }, limited, limited, { kind: "answer" }, limited);
  await scene.gateway.rest.answer(KEY, ["one", "two", "three"]);
  assert.deepEqual(scene.fake.rest.answers, [{ interactionToken: "key", contents: ["one", "two", "three"] }]);
});

Deno.test("DiscordRest.defer() takes it for done when Discord says that it is done already", async () => {
  await using scene = await setScene();
  const twice = { message: "Interaction has already been acknowledged.", code: 40060 };
  scene.fake.rest.next({ kind: "cut" }, { kind: "status", status: 400, body: twice });
  await scene.gateway.rest.defer(KEY);
  assert.deepEqual(scene.fake.rest.deferred, ["key"]);
  scene.fake.rest.next({ kind: "status", status: 404, body: { message: "Unknown interaction", code: 10062 } });
  await errorOf(scene.gateway.rest.defer(KEY));
});

Deno.test("DiscordRest.typing() is given up with its signal, even while it waits for a limit", async () => {
  await using scene = await setScene();
  const typing = new AbortController();
  scene.fake.rest.next({ kind: "status", status: 429, body: { retry_after: 30 } });
  const sign = scene.gateway.rest.typing(CHANNEL, typing.signal);
  await until(() => scene.fake.rest.calls.length === 1);
  typing.abort();
  await errorOf(sign);
});

Deno.test("DiscordRest.post() takes hundreds of messages for one channel, and keeps their order", async () => {
  await using scene = await setScene();
  const contents = Array.from({ length: 300 }, (_, index) => `${index}`);
  await Promise.all(contents.map((content) => scene.gateway.rest.post(CHANNEL, { content, nonce: content })));
  assert.deepEqual(scene.fake.rest.messages.map(({ payload }) => payload["content"]), contents);
});

Deno.test("DiscordRest.post() goes on for as long as it has patience, also with limits", async () => {
  await using scene = await setScene({ times: { patienceMs: 60_000 } });
  const limited = { kind: "status", status: 429, body: { retry_after: 0.001 } } as const;
  const away = { kind: "status", status: 503 } as const;
  scene.fake.rest.next(...Array.from({ length: 12 }, (_, index) => index % 2 === 0 ? away : limited));
  assert.ok(await post(scene));
  assert.equal(scene.fake.rest.calls.length, 13);
});
