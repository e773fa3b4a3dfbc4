import assert from "node:assert/strict";
import { startApi } from "../support/api.ts";
import {
  bodySeen,
  type ChatParams,
  type Chunk,
  chunksOf,
  complete,
  connectClient,
  PLAIN,
  QUESTION,
  refusalOf,
  WEATHER,
} from "../support/openai_client.ts";

const LONDON = { id: "call_1", name: "weather", arguments: { town: "London" } };
const PARIS = { id: "call_2", name: "weather", arguments: { town: "París", days: [1, 2] } };
const TWO_CALLS = { kind: "answer", toolCalls: [LONDON, PARIS] } as const;
const TOOLS = { tools: [WEATHER] } as unknown as Pick<ChatParams, "tools">;

/** A call as OpenAI writes it. */
function called({ id, name, arguments: args }: typeof LONDON | typeof PARIS) {
  return { id, type: "function" as const, function: { name, arguments: JSON.stringify(args) } };
}

function callsIn(chunks: readonly Chunk[]) {
  return chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
}

Deno.test("POST /v1/chat/completions hands tools on", async () => {
  await using api = await startApi();
  await complete(connectClient(api), {
    tools: [
      WEATHER,
      { type: "function", function: { name: "no_arguments", strict: true } },
    ] as unknown as NonNullable<ChatParams["tools"]>,
    tool_choice: "auto",
  });
  assert.deepEqual(bodySeen(api.first)["tools"], [
    WEATHER,
    { type: "function", function: { name: "no_arguments", parameters: { type: "object", properties: {} } } },
  ]);
});

Deno.test("POST /v1/chat/completions sends no tools with tool_choice none", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  await complete(client, { ...TOOLS, tool_choice: "none" });
  assert.equal(bodySeen(api.first)["tools"], undefined);
  await complete(client, { tools: [] });
  assert.equal(bodySeen(api.first)["tools"], undefined);
  await complete(client, { ...TOOLS, tool_choice: "auto" });
  assert.deepEqual(bodySeen(api.first)["tools"], [WEATHER]);
});

Deno.test("POST /v1/chat/completions answers with the model's calls", async () => {
  await using api = await startApi();
  api.first.next(TWO_CALLS);
  const { data: { choices: [choice] } } = await complete(connectClient(api), TOOLS);
  assert.equal(choice?.finish_reason, "tool_calls");
  assert.deepEqual(choice.message, {
    role: "assistant",
    content: null,
    refusal: null,
    tool_calls: [called(LONDON), called(PARIS)],
  });
});

Deno.test("POST /v1/chat/completions keeps words that come with a call, and names calls without an id", async () => {
  await using api = await startApi();
  const { name, arguments: args } = LONDON;
  api.first.next({ kind: "answer", tokens: ["Let me look."], toolCalls: [{ name, arguments: args }, PARIS] });
  const { data: { choices: [choice] } } = await complete(connectClient(api), TOOLS);
  assert.equal(choice?.message.content, "Let me look.");
  const [first, second] = choice.message.tool_calls ?? [];
  assert.match(first?.id ?? "", /^call_[0-9a-f-]{36}$/);
  assert.equal(second?.id, "call_2");
});

Deno.test("POST /v1/chat/completions streams calls, each with its place", async () => {
  await using api = await startApi();
  api.first.next({ ...TWO_CALLS, tokens: ["Let me look."] });
  const chunks = await chunksOf(connectClient(api), { tools: TOOLS.tools ?? [] });
  assert.deepEqual(callsIn(chunks), [{ index: 0, ...called(LONDON) }, { index: 1, ...called(PARIS) }]);
  assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, "tool_calls");
  assert.equal(chunks[1]?.choices[0]?.delta.content, "Let me look.");
});

Deno.test("POST /v1/chat/completions gives the stream helper whole calls", async () => {
  await using api = await startApi();
  api.first.next(TWO_CALLS);
  const helper = connectClient(api).chat.completions.stream({ ...PLAIN, tools: TOOLS.tools ?? [] });
  const { tool_calls } = await helper.finalMessage();
  assert.deepEqual(
    tool_calls?.map((call) => [call.id, call.type === "function" && call.function.name]),
    [["call_1", "weather"], ["call_2", "weather"]],
  );
  const texts = tool_calls?.map((call) => call.type === "function" ? call.function.arguments : "");
  assert.deepEqual(texts?.map((text) => JSON.parse(text)), [LONDON.arguments, PARIS.arguments]);
});

Deno.test("POST /v1/chat/completions shows the first call only with parallel_tool_calls false", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const expected = [[false, [LONDON]], [true, [LONDON, PARIS]], [undefined, [LONDON, PARIS]]] as const;
  for (const [parallel_tool_calls, shown] of expected) {
    const change = { ...TOOLS, ...(parallel_tool_calls !== undefined && { parallel_tool_calls }) };
    api.first.next(TWO_CALLS, TWO_CALLS);
    const { data: { choices: [choice] } } = await complete(client, change);
    assert.deepEqual(choice?.message.tool_calls, shown.map(called), `${parallel_tool_calls}`);
    assert.equal(choice?.finish_reason, "tool_calls");
    const chunks = await chunksOf(client, change as never);
    assert.deepEqual(
      callsIn(chunks).map(({ id }) => id),
      shown.map(({ id }) => id),
      `${parallel_tool_calls}, streamed`,
    );
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, "tool_calls");
  }
});

Deno.test("POST /v1/chat/completions takes the results of calls and finds the names of their functions", async () => {
  await using api = await startApi();
  await complete(connectClient(api), {
    ...TOOLS,
    messages: [
      ...QUESTION,
      { role: "assistant", content: null, tool_calls: [called(LONDON), called(PARIS)] },
      { role: "tool", tool_call_id: "call_2", content: "sunny" },
      { role: "tool", tool_call_id: "call_1", content: [{ type: "text", text: "rain" }] },
      { role: "tool", tool_call_id: "call_of_nobody", content: "" },
    ],
  });
  assert.deepEqual(bodySeen(api.first)["messages"], [
    { role: "user", content: "¿Quién eres?" },
    {
      role: "assistant",
      content: "",
      tool_calls: [
        { function: { name: "weather", arguments: LONDON.arguments } },
        { function: { name: "weather", arguments: PARIS.arguments } },
      ],
    },
    { role: "tool", content: "sunny", tool_name: "weather" },
    { role: "tool", content: "rain", tool_name: "weather" },
    { role: "tool", content: "" },
  ]);
});

Deno.test("POST /v1/chat/completions serves the client's own loop of calls and results", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", toolCalls: [LONDON] }, { kind: "answer", tokens: ["It rains."] });
  const runner = connectClient(api).chat.completions.runTools({
    ...PLAIN,
    messages: [...QUESTION],
    tools: [{
      type: "function",
      function: {
        ...WEATHER.function,
        parameters: { type: "object", properties: { town: { type: "string" } } },
        parse: JSON.parse,
        function: ({ town }: { town: string }) => `rain in ${town}`,
      },
    }],
  });
  assert.equal(await runner.finalContent(), "It rains.");
  assert.deepEqual((bodySeen(api.first)["messages"] as object[]).at(-1), {
    role: "tool",
    content: "rain in London",
    tool_name: "weather",
  });
});

Deno.test("POST /v1/chat/completions refuses what it cannot do with tools, by name", async () => {
  await using api = await startApi();
  const named = (name: string) => ({ tools: [{ type: "function", function: { name } }] });
  const expected: [object, string][] = [
    [{ ...TOOLS, tool_choice: "required" }, "tool_choice"],
    [{ ...TOOLS, tool_choice: { type: "function", function: { name: "weather" } } }, "tool_choice"],
    [{ tools: [{ type: "custom", custom: { name: "any" } }] }, "tools[0].type"],
    [{ tools: [WEATHER, { type: "function" }] }, "tools[1].function"],
    [named(""), "tools[0].function.name"],
    [named("a b"), "tools[0].function.name"],
    [named("a".repeat(65)), "tools[0].function.name"],
    [{ tools: Array(129).fill(WEATHER) }, "tools"],
    [{ ...TOOLS, parallel_tool_calls: "no" }, "parallel_tool_calls"],
  ];
  for (const [change, param] of expected) {
    const error = await refusalOf(complete(connectClient(api), change));
    assert.deepEqual([error.status, error.param, error.code], [400, param, "invalid_value"], param);
    assert.ok(error.message.includes(param), error.message);
  }
  assert.equal(api.first.requests.length, 0);
});
