import assert from "node:assert/strict";
import { createFrameSplitter, FrameError, type FrameFormat } from "../../src/providers/frames.ts";

/** All frames of `text` given in pieces of `size` characters. */
function split(format: FrameFormat, text: string, size: number): string[] {
  const splitter = createFrameSplitter(format);
  const frames: string[] = [];
  for (let at = 0; at < text.length; at += size) frames.push(...splitter.push(text.slice(at, at + size)));
  return [...frames, ...splitter.end()];
}

const CASES: Readonly<Record<string, readonly [FrameFormat, string, readonly string[]]>> = {
  "lines": ["ndjson", '{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']],
  "a last line without its end": ["ndjson", '{"a":1}\n{"b":2}', ['{"a":1}', '{"b":2}']],
  "blank lines and CRLF": ["ndjson", '\n\r\n{"a":1}\r\n  \n{"b":2}\r\n', ['{"a":1}', '{"b":2}']],
  "nothing": ["ndjson", "", []],
  "events": ["sse", 'data: {"a":1}\n\ndata:{"b":2}\n\n', ['{"a":1}', '{"b":2}']],
  "events with CRLF": ["sse", 'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n', ['{"a":1}', '{"b":2}']],
  "comments, names and ids": ["sse", ': hi\nevent: x\nid: 7\nretry: 10\ndata: {"a":1}\n\n: ping\n\n', ['{"a":1}']],
  "data in several lines": ["sse", 'data: {"a":\ndata: 1}\n\n', ['{"a":\n1}']],
  "an event whose blank line is missing": ["sse", 'data: {"a":1}\n\ndata: [DONE]', ['{"a":1}', "[DONE]"]],
  "a line separator inside a string": ["sse", 'data: {"a":"\u2028"}\n\n', ['{"a":"\u2028"}']],
  "JSON outside any event": [
    "sse",
    'data: {"a":1}\r\n\r\n{\r\n  "error": {\r\n    "code": 503\r\n  }\r\n}',
    ['{"a":1}', '{\r\n  "error": {\r\n    "code": 503\r\n  }\r\n}'.replaceAll("\r", "")],
  ],
  "nothing but comments": ["sse", ": one\n\n: two\n", []],
};

for (const [name, [format, text, expected]] of Object.entries(CASES)) {
  Deno.test(`FrameSplitter (${format}) reads ${name}, however it is cut`, () => {
    for (const size of [1, 2, 3, 5, 1000]) assert.deepEqual(split(format, text, size), expected, `pieces of ${size}`);
  });
}

Deno.test("FrameSplitter.push() refuses a line as soon as it is over the limit", () => {
  for (const format of ["ndjson", "sse"] as const) {
    const splitter = createFrameSplitter(format, 10);
    assert.deepEqual(splitter.push("data: 1234"), []);
    assert.throws(() => splitter.push("5"), FrameError);
    assert.throws(() => createFrameSplitter(format, 10).push("data: 123456\n\n"), FrameError);
  }
});

Deno.test("FrameSplitter.push() refuses an event that grows over the limit line by line", () => {
  const splitter = createFrameSplitter("sse", 10);
  assert.deepEqual(splitter.push("data: 123\ndata: 456\n"), []);
  assert.throws(() => splitter.push("data: 789\n"), FrameError);
});

Deno.test("FrameSplitter refuses what is no event stream, without quoting it", () => {
  for (const text of ["<!DOCTYPE html>\n", "hello\n", "data\u00a0x: 1\n", `[${"1,\n".repeat(40_000)}`]) {
    assert.throws(() => createFrameSplitter("sse").push(text), {
      name: "FrameError",
      message: "it is not an event stream",
    });
  }
  assert.throws(() => {
    const splitter = createFrameSplitter("sse");
    splitter.push("<html>");
    splitter.end();
  }, FrameError);
});
