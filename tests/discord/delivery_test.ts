import assert from "node:assert/strict";
import { createDelivery } from "../../src/discord/delivery.ts";
import { postRequest } from "../../src/discord/webhook_request.ts";
import { parseWebhookUrl } from "../../src/discord/webhook_url.ts";
import { createFetchSender } from "../../src/providers/fetch_sender.ts";
import type { Behaviour } from "../support/fake_discord.ts";
import { startRawServer } from "../support/raw_server.ts";
import {
  calm,
  countingLedger,
  each,
  failureOf,
  finalFailure,
  POST,
  sceneOf,
  SECRET,
  status,
} from "./delivery_scene.ts";

each("Delivery.deliver() posts, waits for the message to be saved, and says where it is", async (scene) => {
  assert.deepEqual(await scene.post(), { id: scene.discord.messages[0]?.id, channelId: "2234567890123456789" });
  const [request] = scene.discord.requests;
  assert.match(request?.path ?? "", /\?wait=true$/);
  assert.equal(request?.headers.get("user-agent"), "DiscordBot (https://example.org, 1)");
  assert.equal(request?.headers.get("content-type"), "application/json");
});

each("Delivery.deliver() counts what goes out and what comes back", async ({ post, discord, ledger }) => {
  discord.next(status(503));
  await post();
  const [first] = discord.requests;
  const { requests, sent, received } = ledger.counts;
  assert.deepEqual([requests, sent], [2, 2 * (first?.body.length ?? NaN)]);
  assert.ok(received > 100);
});

each("Delivery.deliver() never meets a limit that the headers announce", async ({ post, discord }) => {
  for (let count = 0; count < 7; count++) await post();
  assert.equal(discord.requests.length, 7); // none was turned away and sent again
}, { limit: { requests: 3, windowMs: 300 } });

each("Delivery.deliver() ignores rate headers that make no sense", async ({ post, discord }) => {
  const nonsense = [
    { "x-ratelimit-remaining": "0" },
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "-5" },
    {
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset-after": "Infinity",
    },
    { "x-ratelimit-remaining": "none", "x-ratelimit-reset-after": "900" },
  ];
  discord.next(...nonsense.map((headers): Behaviour => ({ kind: "answer", headers })));
  for (const _ of nonsense) await post();
  assert.equal(discord.messages.length, nonsense.length);
});

for (
  const [where, body, headers] of [
    ["in the body, in fractions of a second", { retry_after: 0.31, global: false }, { "retry-after": "600" }],
    ["in Retry-After alone", "<html>", { "retry-after": "0.31" }],
    ["in X-RateLimit-Reset-After alone", {}, { "x-ratelimit-reset-after": "0.31" }],
  ] as const
) {
  each(`Delivery.deliver() waits as long as a 429 says ${where}`, async ({ post, discord }) => {
    discord.next(status(429, body, headers));
    await post();
    const [first, second] = discord.requests;
    assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 300);
    assert.equal(discord.messages.length, 1);
  });
}

each(
  "Delivery.deliver() keeps its distance after a 429 that names no time, or none at all",
  async ({ post, discord }) => {
    discord.next(
      status(429, {}),
      status(429, { retry_after: 0 }),
      status(429, { retry_after: -1 }),
      status(429, "no JSON"),
    );
    await post();
    assert.equal(discord.requests.length, 5);
    const [, second, third] = discord.requests;
    assert.ok((third?.atMs ?? 0) - (second?.atMs ?? 0) >= 240);
  },
);

each(
  "Delivery.deliver() tells of waits of a second and more, and whose limit it is",
  async ({ post, discord, waits }) => {
    discord.next(status(429, { retry_after: 1.04, global: true }), status(429, { retry_after: 0.1, global: false }));
    await post();
    assert.deepEqual(waits, ["1 s: The rate limit of everything this machine asks Discord"]);
  },
);

each("Delivery.deliver() gives up at once when a limit lasts longer than it may take", async (scene) => {
  scene.discord.next(status(429, { retry_after: 3600.5 }));
  const error = await finalFailure(scene, scene.post());
  assert.deepEqual([error.exitCode, error.mayHaveArrived], [75, false]);
  assert.match(error.message, /rate limit of this webhook lasts another 3601 s/);
});

each("Delivery.deliver() gives up at once when the pause after the last answer is too long", async (scene) => {
  scene.discord.next({ kind: "answer", headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "900" } });
  await scene.post();
  const error = await finalFailure(scene, scene.post());
  assert.equal(error.exitCode, 75);
});

for (const code of [502, 503, 521, 523, 525, 526]) {
  each(`Delivery.deliver() posts again after ${code}: nobody has dealt with the request`, async ({ post, discord }) => {
    discord.next(status(code, "<html>"), status(code, { message: SECRET }));
    await post();
    assert.deepEqual([discord.requests.length, discord.messages.length], [3, 1]);
  });
}

for (const code of [500, 504, 520, 522, 524, 599]) {
  each(`Delivery.deliver() does not post again after ${code}: it may have arrived`, async (scene) => {
    scene.discord.next({ kind: "status", status: code, body: { message: SECRET }, carriedOut: true });
    const error = await finalFailure(scene, scene.post());
    assert.deepEqual([error.exitCode, error.mayHaveArrived], [69, true]);
    assert.match(error.message, new RegExp(`answers ${code}; it may have arrived all the same`));
    assert.match(error.remedy ?? "", /Look whether it is there/);
  });
}

for (const when of ["before", "after"] as const) {
  each(`Delivery.deliver() does not post again when the connection is cut ${when} it is carried out`, async (scene) => {
    scene.discord.next({ kind: "cut", when });
    const error = await finalFailure(scene, scene.post());
    assert.deepEqual([error.exitCode, error.mayHaveArrived], [69, true]);
  });
}

each("Delivery.deliver() does not post again on a kept connection that is cut", async (scene) => {
  await scene.post();
  scene.discord.next({ kind: "cut", when: "after" });
  const error = await failureOf(scene.post());
  assert.equal(error.mayHaveArrived, true);
  assert.equal(scene.discord.messages.length, 2);
});

each("Delivery.deliver() edits again, whatever failed before: that does no harm", async ({ post, edit, discord }) => {
  await post();
  const id = discord.messages[0]?.id ?? "";
  discord.next(status(500), { kind: "cut", when: "after" }, status(504));
  assert.deepEqual(await edit(id), { id, channelId: "2234567890123456789" });
  assert.equal(discord.requests.length, 5);
});

each("Delivery.deliver() takes a message as deleted that is gone when the answer got lost", async (scene) => {
  await scene.post();
  const id = scene.discord.messages[0]?.id ?? "";
  scene.discord.next({ kind: "cut", when: "after" });
  await scene.remove(id);
  assert.deepEqual(scene.discord.messages, []);
  const error = await failureOf(scene.remove(id));
  assert.match(error.message, /no message with that id \(404, code 10008\)/);
  assert.equal(error.exitCode, 65);
});

each("Delivery.deliver() gives up after five tries that came to nothing", async ({ post, discord }) => {
  discord.next(...Array.from({ length: 9 }, () => status(503)));
  const error = await failureOf(post());
  assert.deepEqual([error.exitCode, error.mayHaveArrived, discord.requests.length], [69, false, 5]);
  assert.match(error.message, /answers 503 \(5 tries\)$/);
});

each("Delivery.deliver() waits for a server that is down, and posts once it is up", async ({ post, discord }) => {
  await discord.server.down();
  const posted = post();
  await new Promise((resolve) => setTimeout(resolve, 30));
  await discord.server.up();
  await posted;
  assert.equal(discord.messages.length, 1);
}, { backOffMs: 100 });

each("Delivery.deliver() says that a server cannot be reached, and that nothing arrived", async ({ post, discord }) => {
  await discord.server.down();
  const error = await failureOf(post());
  assert.deepEqual([error.exitCode, error.mayHaveArrived], [69, false]);
  assert.match(error.message, /cannot be reached: .*refused.* \(5 tries\)$/);
}, { backOffMs: 1 });

each("Delivery.deliver() takes a message as saved whose answer breaks off behind its first line", async (scene) => {
  scene.discord.next({ kind: "cut", when: "in_body" });
  assert.deepEqual(await scene.post(), { id: undefined, channelId: undefined });
  assert.equal(scene.discord.requests.length, 1);
});

each(
  "Delivery.deliver() takes a message as saved whose answer never ends, and waits for it no longer than it may",
  async (scene) => {
    scene.discord.next({ kind: "stall" });
    assert.deepEqual(await scene.post(), { id: undefined, channelId: undefined });
  },
  { timeoutMs: 300 },
);

each("Delivery.deliver() takes no other 404 for a message that is gone", async (scene) => {
  scene.discord.next(status(500), status(404, { message: "Unknown Webhook", code: 10015 }));
  const error = await failureOf(scene.remove("5"));
  assert.equal(error.exitCode, 77);
});

each("Delivery.deliver() takes 204 for a confirmation, as some servers give it", async (scene) => {
  scene.discord.next({ kind: "no_content" });
  assert.deepEqual(await scene.post(), { id: undefined, channelId: undefined });
});

each("Delivery.deliver() ends on time when no answer comes, and says that it may have arrived", async (scene) => {
  scene.discord.next({ kind: "silence" });
  const error = await finalFailure(scene, scene.post());
  assert.deepEqual([error.exitCode, error.mayHaveArrived], [75, true]);
  assert.match(error.message, /No answer from .* within --timeout/);
}, { timeoutMs: 200 });

each("Delivery.deliver() ends on time between two tries, too", async ({ post, discord }) => {
  discord.next(...Array.from({ length: 9 }, () => status(503)));
  const error = await failureOf(post());
  assert.deepEqual([error.exitCode, error.mayHaveArrived], [75, false]);
  assert.ok(discord.requests.length < 5);
}, { timeoutMs: 250, backOffMs: 120 });

each("Delivery.deliver() stops in the middle of a wait", async ({ discord, send }) => {
  const stop = new AbortController();
  discord.next(status(429, { retry_after: 15 }));
  const scene = sceneOf(discord, send, { signal: stop.signal, onWait: () => stop.abort() });
  const error = await failureOf(scene.post());
  assert.deepEqual([error.exitCode, error.mayHaveArrived, discord.requests.length], [130, false, 1]);
  assert.deepEqual((await failureOf(scene.post())).exitCode, 130);
  assert.equal(discord.requests.length, 1);
});

each(
  "Delivery.deliver() stops while it waits for an answer, and says that it may have arrived",
  async ({ discord, send }) => {
    const stop = new AbortController();
    discord.next({ kind: "silence" });
    const scene = sceneOf(discord, send, { signal: stop.signal });
    const posted = failureOf(scene.post());
    while (discord.messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    const error = await posted;
    assert.deepEqual([error.exitCode, error.mayHaveArrived], [130, true]);
  },
);

Deno.test("Delivery.deliver() reads no more of an answer than it needs", async () => {
  const server = startRawServer(async (_request, reply) => {
    await reply.head(200, { "content-type": "application/json" });
    while (!reply.gone.aborted) await reply.write("x".repeat(65_536));
  });
  try {
    const { origin } = server;
    const address = parseWebhookUrl(`${origin}/api/webhooks/1/t`, { apiUrl: origin });
    assert.ok(!("problem" in address));
    const ledger = countingLedger();
    const delivery = createDelivery({
      origin,
      send: createFetchSender(origin),
      ledger,
      timeoutMs: 20_000,
      signal: calm,
    });
    const delivered = await delivery.deliver(await postRequest(POST, { address, userAgent: "x" }));
    assert.deepEqual(delivered, { id: undefined, channelId: undefined });
    assert.ok(ledger.counts.received < 2_000_000);
  } finally {
    await server.stop();
  }
});
