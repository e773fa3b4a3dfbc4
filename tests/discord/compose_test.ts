import assert from "node:assert/strict";
import fc from "fast-check";
import { composePosts, type Draft, withSafeNames } from "../../src/discord/compose.ts";
import { findProblems, showsNothing } from "../../src/discord/limits.ts";
import type { Embed, Post } from "../../src/discord/message.ts";

const COMMON = { username: "Django", allowed_mentions: { parse: [] } } as const;

function compose(draft: Partial<Draft>): Post[] {
  return composePosts({ files: [], common: COMMON, ...draft });
}

function words(length: number): string {
  return "lorem ".repeat(Math.ceil(length / 6)).slice(0, length - 1) + "x";
}

const file = (name: string, size = 1) => ({ name, bytes: new Uint8Array(size) });
const shape = (posts: readonly Post[]) =>
  posts.map(({ message: { content, embeds }, files }) => ({
    content: content?.length ?? 0,
    embeds: (embeds ?? []).map(({ description }) => description?.length ?? 0),
    files: files.map(({ name }) => name),
  }));

Deno.test("composePosts() puts name, picture and whom it may ping on every message", () => {
  const common = { ...COMMON, avatar_url: "https://x.example/a.png", tts: true, flags: 4096 };
  const posts = compose({ content: words(5000), common });
  assert.equal(posts.length, 3);
  for (const { message } of posts) {
    assert.deepEqual({ ...message, content: undefined }, { ...common, content: undefined });
  }
});

Deno.test("composePosts() begins a thread with the first message alone", () => {
  const posts = compose({ content: words(5000), threadName: "News" });
  assert.deepEqual(posts.map(({ message }) => message.thread_name), ["News", undefined, undefined]);
});

Deno.test("composePosts() goes on with a long description in further embeds and messages, up to 6000 in each", () => {
  const posts = compose({ embed: { title: "T".repeat(100), color: 7, description: words(13_000) } });
  assert.ok(posts.every((post) => findProblems(post).length === 0));
  const lengths = shape(posts).map(({ embeds }) => embeds.map((length) => Math.round(length / 100)));
  assert.deepEqual(lengths, [[41, 18], [41, 19], [11]]);
  const embeds = posts.flatMap(({ message }) => message.embeds ?? []);
  assert.deepEqual(embeds.map(({ color }) => color), [7, 7, 7, 7, 7]);
  assert.deepEqual(embeds.map(({ title }) => title?.length), [100, undefined, undefined, undefined, undefined]);
  assert.equal(embeds.map(({ description }) => description).join(""), words(13_000));
});

Deno.test("composePosts() begins an embed with title, author and thumbnail, and ends it with the rest", () => {
  const end = {
    fields: [{ name: "n", value: "v" }],
    image: { url: "https://x.example/i.png" },
    footer: { text: "f" },
    timestamp: "2026-01-01T00:00:00.000Z",
  };
  const begin = {
    title: "t",
    url: "https://x.example",
    author: { name: "a" },
    thumbnail: { url: "https://x.example/t.png" },
  };
  const embed: Embed = { ...begin, ...end, color: 1, description: words(4500) };
  const embeds = compose({ embed }).flatMap(({ message }) => message.embeds ?? []);
  assert.equal(embeds.length, 2);
  const [first = {}, last = {}] = embeds;
  assert.deepEqual({ ...first, description: 0 }, { ...begin, color: 1, description: 0 });
  assert.deepEqual({ ...last, description: 0 }, { ...end, color: 1, description: 0 });
  const [only] = compose({ embed: { ...embed, description: "short" } });
  assert.deepEqual(only?.message.embeds, [{ ...begin, ...end, color: 1, description: "short" }]);
});

Deno.test("composePosts() gives the end of an embed a message of its own when it does not fit any more", () => {
  const fields = Array.from({ length: 4 }, () => ({ name: "n", value: "v".repeat(1000) }));
  const posts = compose({ embed: { description: words(4000), fields } });
  assert.deepEqual(posts.map(({ message }) => message.embeds?.map((embed) => Object.keys(embed))), [[["description"]], [
    [
      "fields",
    ],
  ]]);
});

Deno.test("composePosts() shows a text above its embed", () => {
  const posts = compose({ content: words(3000), embed: { title: "t", description: words(7000) } });
  assert.deepEqual(shape(posts).map(({ content, embeds }) => [content > 0, embeds.length]), [[true, 0], [true, 2], [
    false,
    1,
  ]]);
});

Deno.test("composePosts() sends a file along with the embed that shows it, others with the last message", () => {
  const posts = compose({
    embed: {
      description: words(7000),
      thumbnail: { url: "attachment://small.png" },
      image: { url: "attachment://large.png" },
      author: { name: "a", icon_url: "attachment://both.png" },
      footer: { text: "f", icon_url: "attachment://both.png" },
    },
    files: [file("log.txt"), file("large.png"), file("small.png"), file("both.png")],
  });
  assert.deepEqual(shape(posts).map(({ files }) => files), [["small.png", "both.png"], [
    "large.png",
    "both.png",
    "log.txt",
  ]]);
});

Deno.test("withSafeNames() renames files that an embed shows under names that Discord would change, and no other", () => {
  const url = (name: string) => ({ url: `attachment://${name}` });
  const embeds: Embed[] = [
    { image: url("ñ 1.png"), thumbnail: url("plain.png"), author: { name: "a", icon_url: "attachment://文字" } },
    { image: { url: "https://x.example/ñ 1.png" }, footer: { text: "f", icon_url: "attachment://ñ 1.png" } },
  ];
  const files = ["plain.png", "ñ 1.png", "文字", "ñ 2.txt"].map((name) => file(name));
  const post = withSafeNames({ message: { embeds }, files });
  assert.deepEqual(post.files.map(({ name }) => name), ["plain.png", "file-1.png", "file-2", "ñ 2.txt"]);
  assert.deepEqual(post.message.embeds, [
    { image: url("file-1.png"), thumbnail: url("plain.png"), author: { name: "a", icon_url: "attachment://file-2" } },
    { image: { url: "https://x.example/ñ 1.png" }, footer: { text: "f", icon_url: "attachment://file-1.png" } },
  ]);
});

Deno.test("composePosts() spreads files over as many messages as they need", () => {
  const many = Array.from({ length: 23 }, (_, index) => file(`${index}`));
  assert.deepEqual(shape(compose({ content: "x", files: many })).map(({ files }) => files.length), [10, 10, 3]);
  const large = [1, 2, 3].map((name) => file(`${name}`, 9 * 1024 * 1024));
  assert.deepEqual(shape(compose({ files: large })).map(({ files }) => files.length), [2, 1]);
});

Deno.test("composePosts() makes nothing of nothing", () => {
  for (const content of [undefined, "", " \n "]) assert.deepEqual(compose({ content }), []);
  assert.deepEqual(compose({ content: "", embed: { description: " ", title: "t" } })[0]?.message.embeds, [{
    title: "t",
  }]);
});

Deno.test("composePosts() keeps every limit whatever the texts, and loses nothing of them", () => {
  const text = fc.array(fc.constantFrom("word ", "\n\n", "x".repeat(900), "Sentence. ", "文字"), { maxLength: 40 })
    .map((pieces) => pieces.join(""));
  const short = fc.string({ minLength: 1, maxLength: 256 }).filter((each) => /\S/.test(each));
  const embeds = fc.record({
    title: short,
    description: text,
    footer: fc.record({ text: fc.string({ minLength: 1, maxLength: 2048 }).filter((each) => /\S/.test(each)) }),
    author: fc.record({ name: short }),
    fields: fc.array(fc.record({ name: short, value: short }), { maxLength: 10 }),
  }, { requiredKeys: [] });
  fc.assert(fc.property(text, fc.option(embeds, { nil: undefined }), (content, embed) => {
    const posts = compose({ content, embed });
    for (const post of posts) {
      // Of an embed that shows nothing nothing can be made.
      const isEmpty = embed && Object.keys(embed).length === 0 || embed?.description?.trim() === "";
      assert.deepEqual(isEmpty ? [] : findProblems(post), []);
      assert.equal(showsNothing(post), false);
    }
    const shown = (texts: readonly (string | null | undefined)[]) => texts.join("").replace(/\s/g, "");
    assert.equal(shown(posts.map(({ message }) => message.content)), shown([content]));
    const descriptions = posts.flatMap(({ message }) => message.embeds ?? []).map(({ description }) => description);
    assert.equal(shown(descriptions), shown([embed?.description]));
  }));
});
