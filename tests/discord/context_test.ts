import assert from "node:assert/strict";
import fc from "fast-check";
import type { BufferedMessage } from "../../src/discord/buffer.ts";
import { describeScene, type Scene } from "../../src/discord/context.ts";
import { author, hostile, member, NAMES } from "./messages.ts";

const NOW = new Date(2026, 10, 29, 14, 30);

function said(id: string, content: string, more: Partial<BufferedMessage> = {}): BufferedMessage {
  const atMs = new Date(2026, 10, 29, 14, Number(id)).getTime();
  return { id, author: author("7", { name: "Ana" }), content, attachments: 0, atMs, ...more };
}

function scene(more: Partial<Scene> = {}): Scene {
  return {
    language: "es",
    now: NOW,
    self: { id: "1", username: "Django" },
    guild: { name: "Los Pinos", memberCount: 4 },
    channel: { name: "general", topic: "De todo un poco" },
    parent: undefined,
    members: [],
    messages: [],
    answeredIds: [],
    names: NAMES,
    ...more,
  };
}

const django = author("1", { name: "Django", isBot: true });
const bob = author("8", { name: "Bob" });

Deno.test("describeScene() tells where it is, who is there and what was said", () => {
  const { text } = describeScene(scene({
    members: [member("1"), member("7", { name: "Ana" }), member("9", { name: "Eva" })],
    messages: [
      said("3", "Hola", { atMs: new Date(2026, 10, 28, 9, 5).getTime() }),
      said("4", "<@1>, ¿estás?\nDi algo", { author: bob }),
      said("5", "Aquí estoy", { author: django }),
      said("6", "", { attachments: 2 }),
      said("7", ""),
      said("8", "¿Y ahora?"),
    ],
    answeredIds: ["8"],
  }));
  assert.equal(
    text,
    `[CONTEXTO EN TIEMPO REAL — DISCORD]
Servidor: Los Pinos
Canal: #general
Tema: De todo un poco
Aquí te llamas: [Django]
Miembros (4): [Ana] [Bob] [Eva]
Últimos mensajes, del más antiguo al más reciente:
2026-11-28 09:05 [Ana] Hola
14:04 [Bob] @Django, ¿estás? ⏎ Di algo
14:05 Tú: Aquí estoy
14:06 [Ana] (2 archivos adjuntos)`,
  );
});

Deno.test("describeScene() speaks English too, and knows threads", () => {
  const { text } = describeScene(scene({
    language: "en",
    channel: { name: "Summer trip", topic: undefined },
    parent: { name: "travel" },
    guild: { name: "The Pines", memberCount: 315 },
    members: [member("9", { name: "Eva" }), member("10", { name: "MEE6", isBot: true })],
    messages: [said("1", "Hi", { attachments: 1 }), said("2", "Hello", { author: django })],
  }));
  assert.equal(
    text,
    `[REAL-TIME CONTEXT — DISCORD]
Server: The Pines
Channel: #travel
Thread: Summer trip
Your name here: [Django]
Members (315): [Ana] [Eva] [MEE6 {bot}] and 311 more
Latest messages, oldest first:
14:01 [Ana] Hi (1 file attached)
14:02 You: Hello`,
  );
});

Deno.test("describeScene() tells of a direct message no members and no channel", () => {
  const { text } = describeScene(scene({ guild: undefined, channel: undefined, messages: [said("1", "Hola")] }));
  assert.equal(
    text,
    `[CONTEXTO EN TIEMPO REAL — DISCORD]
Mensaje directo
Aquí te llamas: [Django]
Últimos mensajes, del más antiguo al más reciente:
14:01 [Ana] Hola`,
  );
});

Deno.test("describeScene() tells people of one name apart, and whoever calls themselves like the bot", () => {
  const impostor = author("66", { name: "A.N.A", username: "evil_1" });
  const messages = [said("1", "a"), said("2", "b", { author: impostor }), said("3", "c", { author: bob })];
  const { text, labelOf, labels } = describeScene(scene({
    messages: [...messages, said("4", "d", { author: author("67", { name: "DJANGO", username: "evil_2" }) })],
  }));
  assert.match(text, /^14:01 \[Ana \{user_7\}\] a$/m);
  assert.match(text, /^14:02 \[A\.N\.A \{evil_1\}\] b$/m);
  assert.match(text, /^14:03 \[Bob\] c$/m);
  assert.match(text, /^14:04 \[DJANGO \{evil_2\}\] d$/m);
  assert.equal(labelOf(impostor), "A.N.A {evil_1}");
  assert.equal(labelOf(author("70", { name: "ana", username: "new_here" })), "ana {new_here}");
  assert.deepEqual(labels, ["DJANGO {evil_2}", "Bob", "A.N.A {evil_1}", "Ana {user_7}"]);
});

Deno.test("describeScene() takes from 100,000 members what there is room for, speakers first, and counts the others", () => {
  let taken = 0;
  const members = function* () {
    for (let id = 100; id < 100_100; id++, taken++) yield member(`${id}`, { name: `Member number ${id}` });
  };
  const big = scene({
    guild: { name: "Big", memberCount: 100_002 },
    members: members(),
    messages: [said("1", "hola")],
  });
  const { text } = describeScene(big);
  const [line = ""] = /^Miembros.*$/m.exec(text) ?? [];
  assert.match(line, /^Miembros \(100002\): \[Ana\] \[Member number 100\] .* y \d+ más$/);
  const shown = line.match(/\[/g)?.length ?? 0;
  assert.match(line, new RegExp(`y ${100_001 - shown} más$`));
  assert.ok(line.length <= 1500 && line.length > 1300, String(line.length));
  assert.ok(taken < 100, `${taken} were looked at`);
});

Deno.test("describeScene() drops the oldest messages and cuts long ones to keep to its letters", () => {
  const messages = Array.from({ length: 30 }, (_, index) => said(`${index}`, `${index} ${"x".repeat(300)}`));
  const { text } = describeScene(scene({ messages }));
  assert.ok(text.length <= 6000 && text.length > 5000, String(text.length));
  assert.match(text, /\n14:29 \[Ana\] 29 x{300}$/);
  assert.doesNotMatch(text, /\[Ana\] 5 x/);
  const nitro = describeScene(scene({ messages: [said("1", "before"), said("2", "y".repeat(4000))] })).text;
  assert.match(nitro, /\[Ana\] before\n14:02 \[Ana\] y{900,1000}…$/);
});

Deno.test("describeScene() keeps to any number of letters, and fills it to the last", () => {
  const busy = scene({ members: [member("9")], messages: [said("1", "hola"), said("2", "adiós", { author: bob })] });
  const full = describeScene(busy).text;
  for (let letters = 0; letters <= full.length; letters++) {
    const { text } = describeScene(busy, { letters });
    assert.ok(text.length <= letters, `${text.length} of ${letters}`);
  }
  const header = full.slice(0, full.indexOf("\n"));
  assert.equal(describeScene(busy, { letters: header.length }).text, header);
  assert.equal(describeScene(busy, { letters: header.length - 1 }).text, "");
});

const person = fc.record({ id: fc.nat(5).map((id) => `${id + 7}`), name: hostile, username: hostile });
const spoken = fc.record({ person, content: hostile, attachments: fc.nat(1), own: fc.boolean() });

Deno.test("describeScene() lets no line of others look like a header or another speaker, and keeps to its letters", () => {
  const texts = fc.record({ guild: hostile, channel: hostile, topic: hostile, self: hostile });
  const limits = fc.record({ letters: fc.nat(3000), memberTokens: fc.nat(200) });
  fc.assert(
    fc.property(texts, fc.array(spoken, { maxLength: 8 }), fc.array(person), limits, (place, all, some, limits) => {
      const messages = all.map(({ person, content, attachments, own }, index) =>
        said(`${index}`, content, { attachments, author: own ? django : { ...person, isBot: false, isWebhook: false } })
      );
      const { text, labelOf } = describeScene(
        scene({
          self: { id: "1", username: place.self },
          guild: { name: place.guild, memberCount: 9 },
          channel: { name: place.channel, topic: place.topic },
          members: some.map((member) => ({ ...member, isBot: false })),
          messages,
        }),
        limits,
      );
      assert.ok(text.length <= limits.letters, `${text.length} of ${limits.letters}`);
      const [header, ...lines] = text.split("\n");
      if (text !== "") assert.equal(header, "[CONTEXTO EN TIEMPO REAL — DISCORD]");
      const heading = lines.findIndex((line) => line.startsWith("Últimos mensajes"));
      const told = heading < 0 ? [] : lines.slice(heading + 1);
      for (const line of heading < 0 ? lines : lines.slice(0, heading)) {
        assert.match(line, /^(Servidor|Canal|Tema|Aquí te llamas|Miembros \(9\))(: |$)/);
      }
      const shows = messages.filter((message) => message.attachments > 0 || /[^\s]/.test(message.content));
      assert.ok(told.length <= shows.length);
      for (const line of told) {
        const index = Number(/^14:0(\d) /.exec(line)?.[1]);
        const by = messages[index]?.author;
        assert.ok(by && line.startsWith(`14:0${index} ${by.id === "1" ? "Tú:" : `[${labelOf(by)}]`} `), line);
        assert.equal(line.replaceAll(/\\./gu, "").match(/[[\]]/g)?.length ?? 0, by.id === "1" ? 0 : 2);
      }
    }),
  );
});
