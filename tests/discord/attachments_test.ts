import assert from "node:assert/strict";
import fc from "fast-check";
import { type AttachmentOptions, kindOf, readAttachments } from "../../src/discord/attachments.ts";
import type { MessageAttachment } from "../../src/discord/events.ts";
import { hostile } from "./messages.ts";

function file(name: string, size: number, contentType?: string): MessageAttachment {
  return { name, url: `https://cdn.example/${name}`, size, contentType };
}

/** Options with a server that holds texts or bytes by name. */
function serve(files: Record<string, string | Uint8Array>, more: Partial<AttachmentOptions> = {}) {
  const asked: [url: string, maxBytes: number][] = [];
  const download = (url: string, maxBytes: number) => {
    asked.push([url, maxBytes]);
    const content = files[url.replace("https://cdn.example/", "")];
    if (content === undefined) return Promise.reject(new Error("not there"));
    return Promise.resolve(typeof content === "string" ? new TextEncoder().encode(content) : content);
  };
  const options: AttachmentOptions = {
    language: "es",
    seesImages: true,
    download,
    signal: new AbortController().signal,
    ...more,
  };
  return { asked, options };
}

Deno.test("kindOf() goes by the type, else by the name", () => {
  const cases: [MessageAttachment, string][] = [
    [file("a", 1, "text/plain; charset=utf-8"), "text"],
    [file("a", 1, "application/json"), "text"],
    [file("a", 1, "application/vnd.api+json"), "text"],
    [file("a.svg", 1, "image/svg+xml"), "text"],
    [file("a.rs", 1), "text"],
    [file("a.PY", 1, "application/octet-stream"), "text"],
    [file("a.ts", 1, "video/mp2t"), "text"],
    [file("Dockerfile", 1), "text"],
    [file("a.txt", 1, "image/png"), "image"],
    [file("a.JPG", 1), "image"],
    [file("a.png", 1, "application/zip"), "other"],
    [file("a.heic", 1, "image/heic"), "other"],
    [file("a.mp4", 1, "video/mp4"), "other"],
    [file("", 1), "other"],
  ];
  for (const [attachment, kind] of cases) assert.equal(kindOf(attachment), kind, JSON.stringify(attachment));
});

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const PNG_URL = "data:image/png;base64,iVBORw0KGgo=";

Deno.test("readAttachments() quotes texts, passes images on and names the rest in one line", async () => {
  const { options, asked } = serve({ "a.txt": "\ufeffuno\r\ndos", "b.json": "{}", "cat.png": PNG });
  const files = [
    file("a.txt", 11, "text/plain"),
    file("cat.png", 5000, "image/png"),
    file("b.json", 2, "application/json"),
    file("film.mp4", 24_117_248, "video/mp4"),
    file("huge.log", 100_001, "text/plain"),
  ];
  const { text, images } = await readAttachments(files, options);
  assert.equal(
    text,
    `Archivo adjunto «a.txt»:
│ uno
│ dos

Archivo adjunto «b.json»:
│ {}

Imágenes adjuntas: «cat.png»

Archivos adjuntos que no puedes ver: «film.mp4» (23.0 MiB, no es texto ni una imagen de las conocidas), «huge.log» (97.7 KiB, demasiado grande)`,
  );
  assert.deepEqual(images, [PNG_URL]);
  assert.deepEqual(asked.map(([url]) => url.slice("https://cdn.example/".length)), ["a.txt", "cat.png", "b.json"]);
});

Deno.test("readAttachments() says in English too what is not shown, images to a blind model included", async () => {
  const { options } = serve({}, { language: "en", seesImages: false });
  const { text, images } = await readAttachments([file("cat.png", 1), file("gone.txt", 1)], options);
  assert.equal(
    text,
    "Attached files that you cannot see: “cat.png” (1 B, you cannot see images), “gone.txt” (1 B, it could not be downloaded)",
  );
  assert.deepEqual(images, []);
});

Deno.test("readAttachments() gives nothing for a message without files", async () => {
  assert.deepEqual(await readAttachments([], serve({}).options), { text: "", images: [] });
});

Deno.test("readAttachments() takes nothing for text that is not UTF-8, and no more than was announced", async () => {
  const { options } = serve({
    "latin.txt": new Uint8Array([0x61, 0xf1, 0x6f]),
    "utf16.txt": new Uint8Array([0x61, 0, 0x62, 0]),
    "liar.txt": new Uint8Array(100_001).fill(0x61),
    "huge.png": PNG,
    "fake.png": new TextEncoder().encode("GIF"),
  });
  const files = [file("latin.txt", 3), file("utf16.txt", 4), file("liar.txt", 5), file("huge.png", 4_000_001)];
  files.push(file("fake.png", 3));
  const { text, images } = await readAttachments(files, options);
  assert.match(text, /«latin\.txt» \(3 B, no es texto UTF-8\), «utf16\.txt» \(4 B, no es texto UTF-8\)/);
  assert.match(text, /«liar\.txt» \(5 B, demasiado grande\), «huge\.png» \(3\.8 MiB, demasiado grande\), «fake\.png»/);
  assert.deepEqual(images, []);
});

Deno.test("readAttachments() keeps all texts together within a bound, later small ones included", async () => {
  const { options, asked } = serve({ "a.txt": "a".repeat(60), "b.txt": "b".repeat(60), "c.txt": "c" }, {
    totalBytes: 100,
  });
  const { text } = await readAttachments([file("a.txt", 60), file("b.txt", 60), file("c.txt", 1)], options);
  assert.match(
    text,
    /│ a{60}\n\nArchivo adjunto «c\.txt»:\n│ c\n\n.*«b\.txt» \(60 B, demasiado junto con los demás\)$/,
  );
  assert.deepEqual(asked.map(([, maxBytes]) => maxBytes), [60, 1]);
});

Deno.test("readAttachments() knows images by their bytes, and passes on so many at most", async () => {
  const bytes = (...begin: number[]) => new Uint8Array([...begin, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const webp = new TextEncoder().encode("RIFF0000WEBPVP8 ");
  const { options } = serve({
    "a.png": bytes(0xff, 0xd8, 0xff),
    "b.png": new TextEncoder().encode("GIF89a"),
    "c.png": webp,
    "d.png": PNG,
    "e.png": PNG,
  });
  const files = ["a.png", "b.png", "c.png", "d.png", "e.png"].map((name) => file(name, 16));
  const { text, images } = await readAttachments(files, options);
  assert.deepEqual(images.map((url) => url.split(";")[0]?.slice("data:".length)), [
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/png",
  ]);
  assert.match(text, /^Imágenes adjuntas: «a.png», .*\n\n.*: «e\.png» \(16 B, demasiado junto con los demás\)$/);
});

Deno.test("readAttachments() fetches ten files at most, and cuts what is too long as a whole", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `${index}.txt`);
  const { options, asked } = serve(Object.fromEntries(names.map((name) => [name, "x"])));
  const { text } = await readAttachments(names.map((name) => file(name, 1)), options);
  assert.equal(asked.length, 10);
  assert.match(text, /: «10\.txt» \(1 B, demasiado junto con los demás\), «11\.txt»/);
  const lines = serve({ "a.txt": "\n".repeat(50), "b.txt": "b" }, { mostLetters: 20 });
  const cut = await readAttachments([file("a.txt", 50), file("b.txt", 1)], lines.options);
  assert.match(cut.text, /^Archivo adjunto «a\.txt» \(solo el principio\):\n(│ \n){6}/);
  assert.ok(cut.text.length < 120, cut.text);
});

Deno.test("readAttachments() fetches everything at the same time", async () => {
  let waiting = 0;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const download = async () => {
    if (++waiting === 3) release();
    await released;
    return new Uint8Array();
  };
  const { options } = serve({}, { download });
  await readAttachments([file("a.txt", 1), file("b.txt", 1), file("c.txt", 1)], options);
  assert.equal(waiting, 3);
});

Deno.test("readAttachments() ends with its signal, before a download and within", async () => {
  const leaving = new AbortController();
  const { options, asked } = serve({}, { signal: leaving.signal });
  const download = () => {
    leaving.abort(new Error("gone"));
    return Promise.reject(new Error("broken off"));
  };
  await assert.rejects(readAttachments([file("a.txt", 1)], { ...options, download }), /gone/);
  await assert.rejects(readAttachments([file("a.txt", 1)], options), /gone/);
  assert.equal(asked.length, 0);
});

Deno.test("readAttachments() lets no name of a file end its own quotation", async () => {
  const { text } = await readAttachments([file("a» (1 B), «b.zip", 1)], serve({}).options);
  assert.equal(
    text,
    'Archivos adjuntos que no puedes ver: «a" (1 B), "b.zip» (1 B, no es texto ni una imagen de las conocidas)',
  );
});

Deno.test("readAttachments() lets neither names nor contents begin a line of their own", async () => {
  await fc.assert(fc.asyncProperty(hostile, hostile, async (name, content) => {
    const bytes = new TextEncoder().encode(content);
    const { options } = serve({}, { download: () => Promise.resolve(bytes) });
    const { length } = bytes;
    const files = ["text/plain", "image/png", "video/mp4"].map((type) => ({ ...file("x", length, type), name }));
    const { text } = await readAttachments(files, options);
    assert.ok(text.isWellFormed());
    for (const line of text.split("\n")) {
      assert.match(line, /^(│ |$|Imágenes adjuntas: «|Archivo adjunto «|Archivos adjuntos que no puedes ver: «)/);
    }
    assert.doesNotMatch(text.replaceAll(/[\n\t]/g, ""), /\p{Cc}|[\u2028\u2029\u202e\u200f]/u);
  }));
});
