import assert from "node:assert/strict";
import { each, finalFailure, SECRET, status } from "./delivery_scene.ts";

for (
  const [code, body, words, exitCode] of [
    [401, { message: "x", code: 50027 }, /the token of this webhook is wrong \(401, code 50027\)/, 77],
    [403, { message: "x", code: 50013 }, /not permitted to do that \(403, code 50013\)/, 77],
    [403, "<html>blocked</html>", /it is not permitted \(403\)/, 77],
    [404, { message: "x", code: 10015 }, /does not exist \(any more\) \(404, code 10015\)/, 77],
    [404, "nothing here", /there is no such webhook \(404\)/, 77],
    [404, { message: "x", code: 10003 }, /no such channel or thread \(404, code 10003\)/, 65],
    [400, { message: SECRET, code: 50006 }, /the message shows nothing \(400, code 50006\)/, 65],
    [413, "too large", /the request is too large \(413\)/, 65],
    [418, { code: "7", message: SECRET }, /no reason is given \(418\)/, 65],
  ] as const
) {
  each(`Delivery.deliver() takes ${code} ${JSON.stringify(body)} for the last word`, async (scene) => {
    scene.discord.next(status(code, body));
    const error = await finalFailure(scene, scene.post());
    assert.match(error.message, words);
    assert.equal(error.exitCode, exitCode);
  });
}

each("Delivery.deliver() names the fields that are refused, and repeats nothing else of the answer", async (scene) => {
  const refused = (code: string) => ({ _errors: [{ code, message: SECRET }] });
  scene.discord.next(status(400, {
    message: SECRET,
    code: 50035,
    errors: {
      content: refused("BASE_TYPE_MAX_LENGTH"),
      embeds: { 0: { fields: { 24: { name: refused("BASE_TYPE_REQUIRED") } }, [SECRET]: refused("X") } },
      username: refused(SECRET),
      flags: { _errors: "no list" },
    },
  }));
  const error = await finalFailure(scene, scene.post());
  assert.deepEqual(error.message.split("\n").slice(1), [
    "  content: BASE_TYPE_MAX_LENGTH",
    "  embeds[0].fields[24].name: BASE_TYPE_REQUIRED",
    "  username: refused",
  ]);
});

each("Delivery.deliver() follows no redirect", async (scene) => {
  scene.discord.next(status(307, "", { location: `${scene.discord.origin}/elsewhere` }));
  const error = await finalFailure(scene, scene.post());
  assert.match(error.message, /redirects are not followed \(307\)/);
  assert.equal(error.exitCode, 69);
});
