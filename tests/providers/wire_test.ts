import assert from "node:assert/strict";
import { ProviderError } from "../../src/core/errors.ts";
import type { Exchange, ExchangeOptions, ExchangePlace } from "../../src/providers/exchange.ts";
import { createHttpSender } from "../../src/providers/http_sender.ts";
import { createFetchSender } from "../../src/providers/fetch_sender.ts";
import { createWire, type Wire } from "../../src/providers/wire.ts";
import { startRawServer } from "../support/raw_server.ts";
import { calm, createTestLedger, type TestLedger, until } from "./subjects.ts";

const LIMITS: ExchangeOptions = { model: "m1", localOnly: false, format: "ndjson", firstTokenMs: 10_000 };

/** A wire to `origin`, with the sender that the test is run for. */
type WireOf = (origin: string, changes?: Partial<ExchangePlace>) => { wire: Wire; ledger: TestLedger };

/** One test for every way a request can go out. */
function each(name: string, body: (wireOf: WireOf) => Promise<void>): void {
  for (const [kind, createSender] of Object.entries({ "node:http": createHttpSender, fetch: createFetchSender })) {
    Deno.test(`${name} (${kind})`, () =>
      body((origin, changes = {}) => {
        const ledger = createTestLedger();
        const place = { providerId: "p1", type: "ollama", local: true, send: createSender(origin) } as const;
        return { wire: createWire({ ...place, origin, ledger, ...changes }), ledger };
      }));
  }
}

/** Runs `body` with one exchange, and closes it. */
async function withExchange(exchange: Exchange, body: (exchange: Exchange) => Promise<void>): Promise<void> {
  try {
    await body(exchange);
  } finally {
    await exchange.close();
  }
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderError> {
  const error = await promise.then(() => assert.fail("it should fail"), (reason: unknown) => reason);
  assert.ok(error instanceof ProviderError, Deno.inspect(error));
  return error;
}

/** A server that answers every request with `parts`, one after the other, and then as often as `repeat` says. */
function serve(parts: string[], { status = 200, repeat = 0, hang = false } = {}) {
  return startRawServer(async (_request, reply) => {
    await reply.head(status, { "content-type": "application/x-ndjson" });
    for (const part of parts) await reply.write(part);
    const filler = "a".repeat(1024 * 1024);
    for (let at = 0; at < repeat && !reply.gone.aborted; at++) await reply.write(filler);
    if (hang) await reply.hang();
    else await reply.end("");
  });
}

each("Exchange.fetch() refuses any origin but the provider's own, before anything is sent", async (wireOf) => {
  const elsewhere = serve(["{}\n"]);
  const { wire, ledger } = wireOf("http://127.0.0.1:9");
  for (const url of [`${elsewhere.origin}/api/chat`, "https://127.0.0.1:9/api/chat", "http://localhost:9/"]) {
    await withExchange(wire.open(LIMITS, calm), async ({ fetch }) => {
      const error = await failureOf(fetch(url, { method: "POST", body: "{}" }));
      assert.equal(error.kind, "egress_denied");
    });
  }
  assert.equal(elsewhere.connections, 0);
  assert.deepEqual(ledger.records, []);
  await elsewhere.stop();
});

each("Exchange.fetch() refuses a call that must stay local where the provider or its host is not", async (wireOf) => {
  const server = serve(["{}\n"]);
  const local = { ...LIMITS, localOnly: true };
  const cases = [
    wireOf(server.origin, { local: false }),
    wireOf("https://api.groq.com", { local: false, type: "groq" }),
    wireOf("http://93.184.216.34:11434", { local: true }),
    wireOf("http://ollama.example.org:11434", { local: true }),
  ];
  for (const { wire, ledger } of cases) {
    const url = wire === cases[0]?.wire ? server.origin : "https://api.groq.com/x";
    await withExchange(wire.open(local, calm), async ({ fetch }) => {
      assert.equal((await failureOf(fetch(url))).kind, "egress_denied");
    });
    assert.deepEqual(ledger.records, []);
  }
  const { wire } = wireOf("http://ollama.example.org:11434");
  await withExchange(wire.open(local, calm), async ({ fetch }) => {
    const error = await failureOf(fetch("http://ollama.example.org:11434/api/chat"));
    assert.equal(error.kind, "egress_denied");
    assert.match(error.remedy ?? "", /--cloud/);
  });
  assert.equal(server.connections, 0);
  await server.stop();
});

each("Exchange.fetch() sends one request only", async (wireOf) => {
  const server = serve(["{}\n"]);
  const { wire } = wireOf(server.origin);
  await withExchange(wire.open(LIMITS, calm), async ({ fetch }) => {
    await (await fetch(server.origin)).text();
    assert.equal((await failureOf(fetch(server.origin))).kind, "protocol");
  });
  assert.equal(server.connections, 1);
  await server.stop();
});

each("Exchange.fetch() hands frames over in their plainest form, whatever form they came in", async (wireOf) => {
  const cases = [
    ["ndjson", '\r\n{"a":1}\r\n\n{"b":2}', '{"a":1}\n{"b":2}\n'],
    ["sse", ': x\r\nevent: y\r\ndata:{"a":1}\r\n\r\ndata: [DONE]', 'data: {"a":1}\n\ndata: [DONE]\n\n'],
  ] as const;
  for (const [format, sent, expected] of cases) {
    const server = serve([...sent]);
    const { wire } = wireOf(server.origin);
    await withExchange(wire.open({ ...LIMITS, format }, calm), async ({ fetch }) => {
      assert.equal(await (await fetch(server.origin)).text(), expected);
    });
    await server.stop();
  }
});

each("Exchange.fetch() lets nothing through that is not a JSON object", async (wireOf) => {
  for (const bad of ["7", "null", "[]", '"x"', "{", "[DONE]"]) {
    const server = serve([`{"a":1}\n${bad}\n{"b":2}\n`]);
    const { wire } = wireOf(server.origin);
    await withExchange(wire.open(LIMITS, calm), async (exchange) => {
      const reader = (await exchange.fetch(server.origin)).body?.getReader();
      assert.equal(new TextDecoder().decode((await reader?.read())?.value), '{"a":1}\n');
      assert.equal((await failureOf(reader?.read() ?? Promise.resolve())).kind, "protocol", bad);
    });
    await server.stop();
  }
});

each("Wire.json() stops reading a body without end at 64 MiB", async (wireOf) => {
  const server = serve([], { repeat: 200 });
  const { wire, ledger } = wireOf(server.origin);
  const error = await failureOf(wire.json(server.origin, {}, LIMITS, calm));
  assert.equal(error.kind, "protocol");
  assert.match(error.message, /64 MiB/);
  const [{ received = 0 } = {}] = ledger.records;
  assert.ok(received > 64 * 1024 * 1024 && received < 80 * 1024 * 1024, `${received}`);
  await until("the connection is let go", () => server.open === 0);
  await server.stop();
});

each("Exchange.fetch() looks at the first 64 KiB of an error body and lets the rest go", async (wireOf) => {
  const server = serve([], { status: 500, repeat: 64 });
  const { wire, ledger } = wireOf(server.origin);
  await withExchange(wire.open(LIMITS, calm), async ({ fetch }) => {
    const error = await failureOf(fetch(server.origin));
    assert.equal(error.kind, "unavailable");
    assert.equal(error.status, 500);
  });
  assert.ok((ledger.records[0]?.received ?? 0) < 2 * 1024 * 1024);
  await until("the connection is let go", () => server.open === 0);
  await server.stop();
});

each("Exchange.fetch() does not wait for an error body that never ends", async (wireOf) => {
  const server = serve(['{"error":'], { status: 500, hang: true });
  const { wire } = wireOf(server.origin);
  await withExchange(wire.open({ ...LIMITS, firstTokenMs: 50 }, calm), async ({ fetch }) => {
    assert.equal((await failureOf(fetch(server.origin))).kind, "timeout");
  });
  await server.stop();
});

each("Exchange.fetch() takes the status when an error body breaks off", async (wireOf) => {
  const server = startRawServer(async (_request, reply) => {
    await reply.raw("HTTP/1.1 503 Busy\r\ncontent-length: 100\r\n\r\n{");
    reply.cut();
  });
  const { wire } = wireOf(server.origin);
  await withExchange(wire.open(LIMITS, calm), async ({ fetch }) => {
    const { kind, status } = await failureOf(fetch(server.origin));
    assert.deepEqual({ kind, status }, { kind: "unavailable", status: 503 });
  });
  await server.stop();
});

each("Exchange keeps its first error, whatever a client library throws afterwards", async (wireOf) => {
  const server = serve(["{\n"]);
  const { wire } = wireOf(server.origin);
  await withExchange(wire.open(LIMITS, calm), async (exchange) => {
    const first = await failureOf(exchange.fetch(server.origin).then((response) => response.text()));
    assert.equal(exchange.explain(new SyntaxError("something of the library's")), first);
    assert.equal(exchange.explain(new ProviderError("auth", "Another.", { provider: "p1" })), first);
    assert.throws(() => exchange.throwIfFailed(), (error) => error === first);
  });
  await server.stop();
});

each("Exchange.explain() never repeats the words of a client library", async (wireOf) => {
  const { wire } = wireOf("http://127.0.0.1:9");
  await withExchange(wire.open(LIMITS, calm), async (exchange) => {
    const error = exchange.explain(new SyntaxError('Unexpected token in "my secret prompt"'));
    assert.equal(error.kind, "bad_request");
    assert.ok(!Deno.inspect(error).includes("secret"));
    await Promise.resolve();
  });
});

each("Exchange.close() can be called again, tells the ledger once and takes its listener back", async (wireOf) => {
  const server = serve(['{"a":1}\n'], { hang: true });
  const { wire, ledger } = wireOf(server.origin);
  const { signal } = new AbortController();
  const listening: string[] = [];
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listening.push("added");
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listening.push("removed");
    removeEventListener.apply(signal, args);
  };
  const exchange = wire.open(LIMITS, signal);
  const response = await exchange.fetch(server.origin, { method: "POST", body: '{"ñ":1}' });
  await response.body?.getReader().read();
  await exchange.close();
  await exchange.close();
  exchange.firstToken();
  assert.deepEqual(listening, ["added", "removed"]);
  assert.deepEqual(ledger.records, [{ origin: server.origin, sent: 8, received: 8 }]);
  await until("the connection is let go", () => server.open === 0);
  await server.stop();
});

each("Wire.json() keeps its connection for the next request", async (wireOf) => {
  const server = serve(["{}"]);
  const { wire } = wireOf(server.origin);
  for (let at = 0; at < 5; at++) {
    assert.deepEqual(await wire.json(server.origin, {}, LIMITS, calm), {});
    await new Promise((resolve) => setTimeout(resolve, 20)); // Deno puts a connection back a moment after its answer
  }
  assert.equal(server.connections, 1);
  await server.stop();
});

/** Reads the first piece of an answer and holds it for complete. */
async function readFirst(wire: Wire, origin: string): Promise<void> {
  await withExchange(wire.open(LIMITS, calm), async (exchange) => {
    const reader = (await exchange.fetch(origin, { method: "POST", body: "{}" })).body?.getReader();
    assert.ok((await reader?.read())?.value);
    exchange.complete();
  });
}

each("Exchange.close() reads a complete answer to its end, so that its connection serves the next", async (wireOf) => {
  const server = serve(['{"done":true}\n']);
  const { wire } = wireOf(server.origin);
  for (let call = 0; call < 3; call++) await readFirst(wire, server.origin);
  assert.equal(server.connections, 1);
  await server.stop();
});

each("Exchange.close() does not wait for the end of a complete answer that never ends", async (wireOf) => {
  const server = serve(['{"done":true}\n'], { hang: true });
  const { wire } = wireOf(server.origin);
  await readFirst(wire, server.origin);
  await until("the connection is closed", () => server.open === 0);
  await server.stop();
});

each("Exchange.fetch() never sends again what got no answer on a connection used before", async (wireOf) => {
  for (const silent of [false, true]) {
    let requests = 0;
    const end = new AbortController();
    const server = startRawServer(async (_request, reply) => {
      if (++requests > 1) return silent ? await reply.hang() : reply.cut();
      await reply.head(200, { "content-type": "application/json" });
      await reply.end("{}");
    });
    const { wire } = wireOf(server.origin);
    const ask = (signal: AbortSignal) => wire.json(server.origin, { method: "POST", body: "{}" }, LIMITS, signal);
    await ask(calm);
    const failed = failureOf(ask(end.signal));
    await until("it has been asked again", () => requests === 2);
    if (silent) end.abort();
    assert.equal((await failed).kind, silent ? "aborted" : "unavailable");
    await until("the connection is closed", () => server.open === 0);
    assert.deepEqual([requests, server.connections], [2, 1]);
    await server.stop();
  }
});

each("Exchange accepts limits no timer can hold", async (wireOf) => {
  const server = serve(["{}\n"]);
  const { wire } = wireOf(server.origin);
  const limits = { ...LIMITS, firstTokenMs: Number.MAX_SAFE_INTEGER, idleMs: Infinity };
  await withExchange(wire.open(limits, calm), async (exchange) => {
    const response = await exchange.fetch(server.origin);
    exchange.firstToken();
    assert.equal(await response.text(), "{}\n");
  });
  await server.stop();
});

Deno.test("createHttpSender() lets go of a connection whose answer came before the request had gone out", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const send = createHttpSender(`http://127.0.0.1:${listener.addr.port}`);
  const sending = send({ path: "/", method: "POST", headers: {}, body: new Uint8Array(30_000_000) });
  const connection = await listener.accept();
  await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"));
  assert.equal((await sending.head).status, 400);
  while (await sending.read());
  await sending.cancel();
  const buffer = new Uint8Array(1_000_000);
  const gone = async () => {
    while (await connection.read(buffer) !== null);
  };
  await gone().catch(() => {}); // reset or closed: either way it ends
  connection.close();
  listener.close();
});

Deno.test("createHttpSender() goes past every proxy of the environment", async () => {
  let proxied = 0;
  const proxy = startRawServer((_request, reply) => (proxied++, reply.cut()));
  const server = serve(["{}\n"]);
  const code = `
    import { createHttpSender } from ${JSON.stringify(import.meta.resolve("../../src/providers/http_sender.ts"))};
    const sending = createHttpSender("${server.origin}")({ path: "/", method: "GET", headers: {}, body: null });
    console.log((await sending.head).status);
    await sending.cancel();
  `;
  const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "--ext=ts", `data:text/typescript,${encodeURIComponent(code)}`],
    env: { ...Object.fromEntries(names.map((name) => [name, proxy.origin])), NO_PROXY: "", no_proxy: "" },
  }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), "200");
  assert.equal(proxied, 0);
  await Promise.all([proxy.stop(), server.stop()]);
});

Deno.test("createWire() in a sandbox without the host says how to allow it", async () => {
  const code = `
    import { createHttpSender } from ${JSON.stringify(import.meta.resolve("../../src/providers/http_sender.ts"))};
    import { createWire } from ${JSON.stringify(import.meta.resolve("../../src/providers/wire.ts"))};
    const ledger = { sent: () => console.log("recorded"), received: () => {} };
    const options = { providerId: "lan", type: "ollama", origin: "http://127.0.0.2:11434", local: true, ledger };
    const limits = { localOnly: true, firstTokenMs: 10_000 };
    const wire = createWire({ ...options, send: createHttpSender(options.origin) });
    const error = await wire.json(options.origin, {}, limits, new AbortController().signal).catch((error) => error);
    console.log(error.kind, error.remedy);
  `;
  const args = ["run", "-q", "--no-check", "--cached-only", "--no-prompt", "--allow-net=127.0.0.1", "-"];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assert.equal(new TextDecoder().decode(stderr), "");
  assert.equal(
    new TextDecoder().decode(stdout),
    'egress_denied To allow it, add "127.0.0.2:11434" to permissions.default.net in deno.json, ' +
      "or run with --allow-net=127.0.0.2:11434.\n",
  );
});
