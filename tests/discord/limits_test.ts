import assert from "node:assert/strict";
import { findPictureProblems, findProblems, showsNothing } from "../../src/discord/limits.ts";
import { allowMentions, type Embed, type Post, type WebhookMessage } from "../../src/discord/message.ts";

function problemsOf(message: WebhookMessage, files: Post["files"] = []): string[] {
  return findProblems({ message, files }).map(({ field, message }) => `${field}: ${message}`);
}

const x = (count: number) => "x".repeat(count);
const ids = (count: number) => Array.from({ length: count }, (_, index) => String(1000 + index));
const fields = (count: number) => Array.from({ length: count }, () => ({ name: "n", value: "v" }));
const sized = (name: string, length: number) => ({ name, bytes: new Uint8Array(length) });

/** Each limit as it is just kept, and as it is just broken. */
const LIMITS: [field: string, of: (excess: number) => WebhookMessage, most: number][] = [
  ["content", (n) => ({ content: x(2000 + n) }), 2000],
  ["username", (n) => ({ username: x(80 + n) }), 80],
  ["thread_name", (n) => ({ thread_name: x(100 + n) }), 100],
  ["embeds", (n) => ({ embeds: Array.from({ length: 10 + n }, () => ({ title: "t" })) }), 10],
  ["embeds[0].title", (n) => ({ embeds: [{ title: x(256 + n) }] }), 256],
  ["embeds[0].description", (n) => ({ embeds: [{ description: x(4096 + n) }] }), 4096],
  ["embeds[0].footer.text", (n) => ({ embeds: [{ footer: { text: x(2048 + n) } }] }), 2048],
  ["embeds[0].author.name", (n) => ({ embeds: [{ author: { name: x(256 + n) } }] }), 256],
  ["embeds[0].fields", (n) => ({ embeds: [{ fields: fields(25 + n) }] }), 25],
  ["embeds[0].fields[0].name", (n) => ({ embeds: [{ fields: [{ name: x(256 + n), value: "v" }] }] }), 256],
  ["embeds[0].fields[0].value", (n) => ({ embeds: [{ fields: [{ name: "n", value: x(1024 + n) }] }] }), 1024],
  ["allowed_mentions.users", (n) => ({ allowed_mentions: { users: ids(100 + n) } }), 100],
  ["allowed_mentions.roles", (n) => ({ allowed_mentions: { roles: ids(100 + n) } }), 100],
];

for (const [field, of, most] of LIMITS) {
  Deno.test(`findProblems() names ${field} and its count beyond ${most}`, () => {
    assert.deepEqual(problemsOf(of(0)), []);
    const [problem, ...more] = problemsOf(of(1));
    assert.equal(
      problem,
      `${field}: ${most + 1} ${/s$|embeds$/.test(field) ? "of them" : "characters"}, ${most} is the most`,
    );
    assert.deepEqual(more, []);
  });
}

Deno.test("findProblems() counts all texts of all embeds together: 6000 is the most", () => {
  const embeds: Embed[] = [
    { title: x(256), description: x(4000), footer: { text: x(100) }, author: { name: x(44) } },
    { fields: [{ name: x(100), value: x(1000) }, { name: x(100), value: x(400) }] },
  ];
  assert.deepEqual(problemsOf({ embeds }), []);
  assert.deepEqual(problemsOf({ embeds: [...embeds, { title: "x" }] }), [
    "embeds: 6001 characters over all embeds, 6000 is the most",
  ]);
});

Deno.test("findProblems() counts in UTF-16 units", () => {
  assert.deepEqual(problemsOf({ content: "😀".repeat(1000) }), []);
  assert.deepEqual(problemsOf({ content: "😀".repeat(1000) + "x" }), ["content: 2001 characters, 2000 is the most"]);
});

Deno.test("findProblems() refuses names that Discord keeps for itself, and empty ones", () => {
  for (const username of ["Clyde", "my-DISCORD-bot", "xclydex"]) {
    assert.match(problemsOf({ username }).join(), /^username: Discord allows no name with "(clyde|discord)" in it$/);
  }
  for (const username of ["", "  "]) assert.deepEqual(problemsOf({ username }), ["username: It must not be empty"]);
});

Deno.test("findProblems() refuses an empty embed, and empty names and values of fields", () => {
  assert.deepEqual(problemsOf({ embeds: [{ color: 1 }] }).length, 1);
  assert.deepEqual(problemsOf({ embeds: [{ fields: [{ name: " ", value: "" }] }] }), [
    "embeds[0].fields[0].name: It must not be empty",
    "embeds[0].fields[0].value: It must not be empty",
  ]);
  for (const embed of [{ image: { url: "https://x.example" } }, { timestamp: "2026-01-01" }, { title: "t" }]) {
    assert.deepEqual(problemsOf({ embeds: [embed] }), []);
  }
});

Deno.test("findProblems() refuses what is no address of the web; files only where a picture is shown", () => {
  const embed = (url: string): Embed => ({
    url,
    author: { name: "a", url, icon_url: url },
    footer: { text: "f", icon_url: url },
    image: { url },
    thumbnail: { url },
  });
  const message = (url: string) => ({ avatar_url: url, embeds: [embed(url)] });
  assert.deepEqual(problemsOf(message("https://x.example/y.png")), []);
  assert.equal(problemsOf(message("javascript:alert(1)")).length, 7);
  assert.equal(problemsOf(message("x.png")).length, 7);
  assert.equal(problemsOf(message(`https://x.example/${x(2048)}`)).length, 7);
  const refused = problemsOf(message("attachment://y.png")).map((problem) => problem.split(":")[0]);
  assert.deepEqual(refused.toSorted(), ["avatar_url", "embeds[0].author.url", "embeds[0].url"]);
});

Deno.test("findProblems() refuses a list of people beside all people, and so with roles", () => {
  for (const kind of ["users", "roles"] as const) {
    const allowed_mentions = { parse: [kind], [kind]: ["1"] };
    assert.deepEqual(problemsOf({ allowed_mentions }), [
      `allowed_mentions.${kind}: A list of ids cannot stand beside "${kind}" in parse`,
    ]);
    assert.deepEqual(problemsOf({ allowed_mentions: { parse: [kind], [kind]: [] } }), []);
  }
});

Deno.test("allowMentions() makes only what findProblems() lets pass", () => {
  for (const kinds of [[], ["users"], ["roles"], ["everyone"], ["users", "roles", "everyone"]] as const) {
    for (const list of [[], ["1", "2"]]) {
      assert.deepEqual(problemsOf({ allowed_mentions: allowMentions(kinds, list) }), []);
    }
  }
  assert.deepEqual(allowMentions(["users"], ["1"]), { parse: ["users"], roles: ["1"] });
  assert.deepEqual(allowMentions([], ["1"]), { parse: [], users: ["1"], roles: ["1"] });
});

Deno.test("findProblems() limits files in number, in size, and together", () => {
  const MIB = 1024 * 1024;
  assert.deepEqual(problemsOf({}, Array.from({ length: 10 }, () => sized("f", 1))), []);
  assert.match(problemsOf({}, Array.from({ length: 11 }, () => sized("f", 1))).join(), /^files: 11 of them, 10/);
  assert.deepEqual(problemsOf({}, [sized("a", 10 * MIB), sized("b", 10 * MIB), sized("c", 4.75 * MIB)]), []);
  assert.match(problemsOf({}, [sized("a", 10 * MIB + 1)]).join(), /^files\[0\]: 10485761 bytes, 10485760 is the most$/);
  assert.match(
    problemsOf({}, [1, 2, 3].map(() => sized("a", 9 * MIB))).join(),
    /^files: 28311552 bytes in one message/,
  );
});

Deno.test("showsNothing() knows a message that Discord would call empty", () => {
  for (const message of [{}, { content: "" }, { content: " \n\t" }, { content: null, embeds: [] }]) {
    assert.equal(showsNothing({ message, files: [] }), true);
  }
  assert.equal(showsNothing({ message: {}, files: [sized("f", 0)] }), false);
  assert.equal(showsNothing({ message: { embeds: [{ title: "t" }] }, files: [] }), false);
  assert.equal(showsNothing({ message: { poll: {} }, files: [] }), false);
  assert.equal(showsNothing({ message: { content: "\u200b" }, files: [] }), false);
});

Deno.test("findPictureProblems() names embeds that show a file which is not sent along, or twice", () => {
  const url = "attachment://ñ 1.png";
  const message = { embeds: [{ title: "t" }, { image: { url } }, { footer: { text: "f", icon_url: url } }] };
  const problems = (...names: string[]) =>
    findPictureProblems({ message, files: names.map((name) => sized(name, 1)) }).map(({ field, message }) =>
      `${field}: ${message.slice(0, 30)}`
    );
  assert.deepEqual(problems("ñ 1.png", "other", "other"), []);
  assert.deepEqual(problems("1.png"), [
    "embeds[1]: It shows a file that is not se",
    "embeds[2]: It shows a file that is not se",
  ]);
  assert.deepEqual(problems("ñ 1.png", "ñ 1.png")[0], "embeds[1]: It shows a file of whose name ");
});
