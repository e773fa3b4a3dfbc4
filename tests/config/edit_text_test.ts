import assert from "node:assert/strict";
import { setText } from "../../src/config/edit_text.ts";

const CASES: readonly [string, string, readonly string[], string][] = [
  [
    "replaces a value and nothing else",
    '{"a":1,  "p" :"x"  , /* c */ "b":2}',
    ["p"],
    '{"a":1,  "p" :"NEW"  , /* c */ "b":2}',
  ],
  [
    "replaces a value deep inside",
    '{ "a": { "b": { "c": "x" } } }',
    ["a", "b", "c"],
    '{ "a": { "b": { "c": "NEW" } } }',
  ],
  ["adds below the last property", '{\n  "a": 1\n}\n', ["b"], '{\n  "a": 1,\n  "b": "NEW"\n}\n'],
  [
    "keeps a comment with the property it belongs to",
    '{\n  "a": 1 // one\n}',
    ["b"],
    '{\n  "a": 1, // one\n  "b": "NEW"\n}',
  ],
  [
    "keeps a block comment with its property",
    '{\n  "a": 1 /* one */ // two\n}',
    ["b"],
    '{\n  "a": 1, /* one */ // two\n  "b": "NEW"\n}',
  ],
  ["keeps a trailing comma a trailing comma", '{\n  "a": 1, // one\n}', ["b"], '{\n  "a": 1, // one\n  "b": "NEW",\n}'],
  [
    "finds a trailing comma behind a comment",
    '{\n  "a": 1 /* x */ , // y\n}',
    ["b"],
    '{\n  "a": 1 /* x */ , // y\n  "b": "NEW",\n}',
  ],
  ["finds a trailing comma on the next line", '{\n  "a": 1\n  ,\n}', ["b"], '{\n  "a": 1\n  ,\n  "b": "NEW",\n}'],
  [
    "is not misled by a comma in a comment",
    '{\n  "a": 1 // one, two\n}',
    ["b"],
    '{\n  "a": 1, // one, two\n  "b": "NEW"\n}',
  ],
  [
    "is not misled by the end of a block comment in a line comment",
    '{\n  "a": 1 /* x */ // */ , y\n}',
    ["b"],
    '{\n  "a": 1, /* x */ // */ , y\n  "b": "NEW"\n}',
  ],
  [
    "leaves comments below the last property below",
    '{\n  "a": 1\n  // end\n}',
    ["b"],
    '{\n  "a": 1,\n  "b": "NEW"\n  // end\n}',
  ],
  ["stays on one line where the object does", '{ "a": 1 }', ["b"], '{ "a": 1, "b": "NEW" }'],
  ["stays on one line before a trailing comma", '{ "a": 1, }', ["b"], '{ "a": 1, "b": "NEW", }'],
  ["fills an empty object", '{ "o": {} }', ["o", "b"], '{ "o": { "b": "NEW" } }'],
  ["fills an empty object with a blank", '{ "o": { } }', ["o", "b"], '{ "o": { "b": "NEW" } }'],
  [
    "fills an object that holds only a comment",
    '{\n  "o": {\n    // nothing yet\n  }\n}',
    ["o", "b"],
    '{\n  "o": {\n    // nothing yet\n    "b": "NEW"\n  }\n}',
  ],
  [
    "fills an object that holds only a comment on its line",
    '{ "o": { /* none */ } }',
    ["o", "b"],
    '{ "o": { /* none */ "b": "NEW" } }',
  ],
  ["uses tabs where the file does", '{\n\t"a": 1\n}', ["b"], '{\n\t"a": 1,\n\t"b": "NEW"\n}'],
  ["uses tabs in an empty object too", '{\n\t"o": {\n\t}\n}', ["o", "b"], '{\n\t"o": {\n\t\t"b": "NEW"\n\t}\n}'],
  [
    "uses the indentation of its neighbours",
    '{\n    "a": 1,\n    "c": 2\n}',
    ["b"],
    '{\n    "a": 1,\n    "c": 2,\n    "b": "NEW"\n}',
  ],
  [
    "uses Windows line ends where the file does",
    '{\r\n  "a": 1 // x\r\n}\r\n',
    ["b"],
    '{\r\n  "a": 1, // x\r\n  "b": "NEW"\r\n}\r\n',
  ],
  [
    "adds the objects that are missing on the way",
    '{\n  "a": 1\n}',
    ["o", "p", "b"],
    '{\n  "a": 1,\n  "o": { "p": { "b": "NEW" } }\n}',
  ],
  ["adds to a list's object only where there is one", '{ "o": [] }', ["o", "b"], '{ "o": [], "o": { "b": "NEW" } }'],
  ["returns what it cannot edit", "[1]", ["b"], "[1]"],
];

for (const [what, text, path, expected] of CASES) {
  Deno.test(`setText() ${what}`, () => assert.equal(setText(text, path, "NEW"), expected));
}

Deno.test("setText() writes a value that needs escaping as JSON", () => {
  assert.equal(setText('{ "a": "x" }', ["a"], 'q"\\'), '{ "a": "q\\"\\\\" }');
});
