import assert from "node:assert/strict";
import { encodeMultipart } from "../../src/discord/multipart.ts";
import { readMultipart } from "../support/fake_discord.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

async function roundTrip(json: string, files: { name: string; bytes: Uint8Array<ArrayBuffer> }[]) {
  const { contentType, bytes } = await encodeMultipart(json, files);
  const boundary = /^multipart\/form-data; boundary=([\w-]{1,70})$/.exec(contentType)?.[1];
  assert.ok(boundary !== undefined, contentType);
  const [payload, ...rest] = readMultipart(bytes, boundary);
  return { payload, rest, bytes };
}

Deno.test("encodeMultipart() carries every byte of a file, and names in any script", async () => {
  const names = ["plain.txt", "ñandú & 文字.png", "👩‍👩‍👧.gif", "with space;semi=.txt"];
  const files = names.map((name, index) => ({ name, bytes: ALL_BYTES.slice(index) }));
  const { payload, rest } = await roundTrip('{"content":"é"}', files);
  assert.equal(payload?.field, "payload_json");
  assert.equal(new TextDecoder().decode(payload?.bytes), '{"content":"é"}');
  assert.deepEqual(rest, files.map(({ name, bytes }, index) => ({ field: `files[${index}]`, name, bytes })));
});

Deno.test("encodeMultipart() lets no name break out of its header", async () => {
  const { rest } = await roundTrip("{}", [{ name: 'a"; name="x\r\nEvil: 1\n.txt', bytes: ALL_BYTES }]);
  assert.deepEqual(rest.map(({ name }) => name), ["a%22; name=%22x%0D%0AEvil: 1%0A.txt"]);
});

Deno.test("encodeMultipart() gives the same bytes for the same message, and other boundaries for others", async () => {
  const once = await encodeMultipart("{}", [{ name: "a", bytes: ALL_BYTES }]);
  const again = await encodeMultipart("{}", [{ name: "a", bytes: ALL_BYTES.slice() }]);
  const other = await encodeMultipart("{}", [{ name: "a", bytes: ALL_BYTES.slice(1) }]);
  assert.deepEqual(once, again);
  assert.notEqual(once.contentType, other.contentType);
});

Deno.test("encodeMultipart() carries a file that holds what separates another message's parts", async () => {
  const { bytes } = await encodeMultipart("{}", [{ name: "a", bytes: ALL_BYTES }]);
  const { rest } = await roundTrip("{}", [{ name: "b", bytes }, { name: "empty", bytes: new Uint8Array() }]);
  assert.deepEqual(rest.map(({ bytes: each }) => each), [bytes, new Uint8Array()]);
});
