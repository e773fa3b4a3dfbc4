import fc from "fast-check";
import assert from "node:assert/strict";
import type { GenerateRequest } from "../../src/core/types.ts";
import { invalidRequest } from "../../src/http/context.ts";
import { HttpError } from "../../src/http/errors.ts";
import { toGenerateRequest } from "../../src/http/openai_request.ts";
import { chatRequestSchema } from "../../src/http/openai_schema.ts";

/** What a body becomes, by way of the schema as in the server. */
function read(body: unknown): GenerateRequest {
  const parsed = chatRequestSchema.safeParse(body);
  if (!parsed.success) throw invalidRequest(parsed.error);
  return toGenerateRequest(parsed.data);
}

function messagesOf(...messages: unknown[]) {
  return read({ model: "auto", messages }).messages;
}

/** The error of a body that has to be refused. */
function refusalOf(body: unknown): HttpError {
  try {
    read(body);
  } catch (error) {
    assert.ok(error instanceof HttpError, String(error));
    return error;
  }
  assert.fail(`accepted: ${JSON.stringify(body)}`);
}

function callOf(args: unknown) {
  const call = { id: "call_1", type: "function", function: { name: "weather", arguments: args } };
  return { role: "assistant", tool_calls: [call] };
}

Deno.test("toGenerateRequest() asks for nothing that was not asked for", () => {
  assert.deepEqual(read({ model: "auto", messages: [{ role: "user", content: "Hola" }] }), {
    messages: [{ role: "user", content: "Hola" }],
  });
});

Deno.test("toGenerateRequest() tells auto, roles and references apart", () => {
  const target = (model: string) => {
    const { messages: _, ...rest } = read({ model, messages: [{ role: "user", content: "Hola" }] });
    return rest;
  };
  assert.deepEqual(target("auto"), {});
  assert.deepEqual(target("role:technical"), { role: "technical" });
  assert.deepEqual(target("groq/openai/gpt-oss-120b"), { model: "groq/openai/gpt-oss-120b" });
  assert.deepEqual(target("Auto"), { model: "Auto" });
  assert.deepEqual(target(""), { model: "" });
  for (const model of ["role:", "role:embeddings", "role:nobody", "role:Technical", "role:__proto__"]) {
    const { status, options: { code, param } } = refusalOf({ model, messages: [{ role: "user", content: "Hola" }] });
    assert.deepEqual([status, code, param], [404, "model_not_found", "model"], model);
  }
  const long = refusalOf({ model: `role:${"x".repeat(10_000)}`, messages: [{ role: "user", content: "Hola" }] });
  assert.ok(long.message.length < 300, "the whole name is repeated");
});

Deno.test("toGenerateRequest() takes messages that say nothing as they are", () => {
  assert.deepEqual(messagesOf({ role: "user", content: "" }), [{ role: "user", content: "" }]);
  assert.deepEqual(messagesOf({ role: "user", content: [] }), [{ role: "user", content: "" }]);
  assert.deepEqual(messagesOf({ role: "system", content: [] }), [{ role: "system", content: "" }]);
  assert.deepEqual(messagesOf({ role: "assistant" }), [{ role: "assistant", content: "" }]);
  assert.deepEqual(messagesOf({ role: "assistant", content: null, tool_calls: null }), [
    { role: "assistant", content: "" },
  ]);
  assert.deepEqual(messagesOf({ role: "assistant", content: "Hi", tool_calls: [], audio: null }), [
    { role: "assistant", content: "Hi" },
  ]);
});

Deno.test("toGenerateRequest() reads the arguments of calls, and takes none for an empty object", () => {
  const args = (text: string) => {
    const [message] = messagesOf(callOf(text)) ?? [];
    assert.ok(message?.role === "assistant");
    return message.tool_calls;
  };
  const call = (given: object) => [{ id: "call_1", name: "weather", arguments: given }];
  assert.deepEqual(args('{"town":"París"}'), call({ town: "París" }));
  assert.deepEqual(args(" { } "), call({}));
  assert.deepEqual(args(""), call({}));
});

Deno.test("toGenerateRequest() refuses arguments that are no JSON object, with the place and without the words", () => {
  for (const text of ["{MARKER", '["MARKER"]', '"MARKER"', "null", "7", "MARKER", '{"a":1}MARKER']) {
    const error = refusalOf({ model: "auto", messages: [{ role: "user", content: "Hola" }, callOf(text)] });
    assert.equal(error.status, 400, text);
    assert.equal(error.options.param, "messages[1].tool_calls[0].function.arguments", text);
    assert.ok(!error.message.includes("MARKER"), error.message);
  }
});

Deno.test("toGenerateRequest() takes the name of a function from the latest call before its result", () => {
  const call = (name: string) => ({
    role: "assistant",
    tool_calls: [{ id: "same", type: "function", function: { name, arguments: "{}" } }],
  });
  const result = { role: "tool", tool_call_id: "same", content: "done" };
  const names = messagesOf(result, call("one"), result, call("two"), result)?.flatMap((message) =>
    message.role === "tool" ? [message.tool_name] : []
  );
  assert.deepEqual(names, [undefined, "one", "two"]);
});

Deno.test("toGenerateRequest() is never reached by messages of another shape: 400 with the path", () => {
  const expected: [unknown, string][] = [
    [{ role: "MARKER", content: "Hola" }, "messages[1].role"],
    [{ role: "function", name: "weather", content: "Hola" }, "messages[1].role"],
    [{ content: "Hola" }, "messages[1].role"],
    [{ role: "user" }, "messages[1].content"],
    [{ role: "user", content: null }, "messages[1].content"],
    [{ role: "user", content: 7 }, "messages[1].content"],
    [{ role: "system", content: null }, "messages[1].content"],
    [{ role: "tool", content: "MARKER" }, "messages[1].tool_call_id"],
    [{ role: "tool", content: null, tool_call_id: "call_1" }, "messages[1].content"],
    [callOf({ town: "MARKER" }), "messages[1].tool_calls[0].function.arguments"],
    [{ role: "assistant", tool_calls: [{ id: "call_1" }] }, "messages[1].tool_calls[0].type"],
    ["MARKER", "messages[1]"],
    [null, "messages[1]"],
  ];
  for (const [message, path] of expected) {
    const error = refusalOf({ model: "auto", messages: [{ role: "user", content: "Hola" }, message] });
    assert.ok(error.status === 422 || error.status === 400);
    assert.equal(error.options.param, path, JSON.stringify(message));
    assert.ok(!error.message.includes("MARKER"), error.message);
  }
});

Deno.test("toGenerateRequest() is never reached by parts that it does not know: 400 with the path", () => {
  const parts: unknown[] = [
    { type: "input_audio", input_audio: { data: "MARKER", format: "wav" } },
    { type: "file", file: { file_data: "MARKER" } },
    { type: "text" },
    { type: "image_url", image_url: "data:image/png;base64,MARKER" },
    "MARKER",
  ];
  for (const part of parts) {
    const error = refusalOf({ model: "auto", messages: [{ role: "user", content: [part] }] });
    assert.match(error.options.param ?? "", /^messages\[0\]\.content/, JSON.stringify(part));
    assert.ok(!error.message.includes("MARKER"), error.message);
  }
});

Deno.test("toGenerateRequest() takes an image as large as a body may be", () => {
  const data = "A".repeat(16 * 1024 * 1024);
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } };
  const [message] = messagesOf({ role: "user", content: [image] }) ?? [];
  assert.ok(message?.role === "user");
  assert.equal(message.images?.[0]?.data.length, data.length);
  const broken = { type: "image_url", image_url: { url: `data:image/png;base64,${data}!` } };
  assert.equal(refusalOf({ model: "auto", messages: [{ role: "user", content: [broken] }] }).status, 400);
});

Deno.test("toGenerateRequest() turns anything into a request or into an error that names a place", () => {
  const text = fc.oneof(fc.string(), fc.constantFrom("", "{}", "[]", "data:image/png;base64,QQ==", "call_1"));
  const part = fc.oneof(
    fc.record({ type: fc.constant("text"), text }),
    fc.record({ type: fc.constant("image_url"), image_url: fc.record({ url: text }) }),
    fc.jsonValue(),
  );
  const call = fc.record({
    id: text,
    type: fc.constant("function"),
    function: fc.record({ name: text, arguments: text }),
  });
  const message = fc.oneof(
    fc.record({
      role: fc.constantFrom("system", "developer", "user", "assistant", "tool", "nobody"),
      content: fc.oneof(text, fc.constant(null), fc.array(part, { maxLength: 3 })),
      tool_calls: fc.oneof(fc.constant(null), fc.array(call, { maxLength: 3 })),
      tool_call_id: text,
    }, { requiredKeys: ["role"] }),
    fc.jsonValue(),
  );
  fc.assert(fc.property(fc.array(message, { minLength: 1, maxLength: 4 }), (messages) => {
    try {
      const { messages: read_ } = read({ model: "auto", messages });
      assert.equal(read_?.length, messages.length);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      assert.ok(error.status === 400 || error.status === 422);
      assert.match(error.options.param ?? "", /^messages\[\d\]/);
    }
  }));
});
