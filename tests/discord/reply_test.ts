import assert from "node:assert/strict";
import fc from "fast-check";
import { planReply, type ReplyOptions, saysSomething } from "../../src/discord/reply.ts";
import { hostile } from "./messages.ts";
import { assertLinear } from "../support/linear.ts";

const OPTIONS: ReplyOptions = {
  language: "es",
  replyTo: "900",
  nonceSeed: "900",
  names: { self: ["Django", "Djanguito"], others: ["Ana", "Ana {ana_92}", "x\\]\\[y"] },
};

const HEADER = "[CONTEXTO EN TIEMPO REAL — DISCORD]";

function contents(answer: string, more: Partial<ReplyOptions> = {}): string[] {
  return planReply(answer, { ...OPTIONS, ...more }).parts.map(({ content }) => content);
}

Deno.test("planReply() replies to the message with the first part alone, and numbers its nonces", () => {
  const { parts } = planReply(`${"a ".repeat(1500)}`, OPTIONS);
  assert.deepEqual(parts.map(({ replyTo, nonce }) => [replyTo, nonce]), [["900", "900-0"], [undefined, "900-1"]]);
  assert.deepEqual(planReply("Hola", { ...OPTIONS, replyTo: undefined }).parts, [
    { content: "Hola", replyTo: undefined, nonce: "900-0" },
  ]);
});

Deno.test("planReply() makes nonces of 25 characters at most of any seed, the same for a retry", () => {
  const nonce = (nonceSeed: string) => planReply("Hola", { ...OPTIONS, nonceSeed }).parts[0]?.nonce ?? "";
  assert.equal(nonce("18446744073709551615"), "18446744073709551615-0");
  for (const seed of ["", "900:edited", "9".repeat(21), "x".repeat(500)]) {
    assert.match(nonce(seed), /^h[0-9a-z]{1,13}-0$/);
    assert.equal(nonce(seed), nonce(seed));
  }
  assert.notEqual(nonce("900:1"), nonce("900:2"));
});

Deno.test("planReply() takes an echoed envelope off", () => {
  const answers = [
    "Hola",
    "[Django] Hola",
    "[django]: Hola",
    "**[Django]** Hola",
    "Django: Hola",
    "**Django:** Hola",
    "**Djanguito**: Hola",
    "Django:\nHola",
    "[Ana] Hola",
    "[Ana {ana_92}] Hola",
    "[x\\]\\[y] Hola",
    "[Ana] [Django] Django: Hola",
    "14:05 Tú: Hola",
    "2026-11-28 14:05 You: Hola",
    "14:05 [Django {bot}] Hola",
    "[CONTEXTO EN TIEMPO REAL — DISCORD]\nHola",
    "[CONTEXTO EN TIEMPO REAL — DISCORD] Hola",
    "**[REAL-TIME CONTEXT - DISCORD]**\n\n[Django] Hola",
    "[CONTEXTO EN TIEMPO REAL — DISCORD]\n│ Servidor: Los Pinos\n│ Miembros (4): [Ana]\n│ 14:03 [Ana] a\n│ Hola",
    "[CONTEXTO EN TIEMPO REAL — DISCORD]\nCanal: #x\n14:03 [Ana] a\n14:05 Tú: Hola",
  ];
  for (const answer of answers) assert.deepEqual(contents(answer), ["Hola"], answer);
});

Deno.test("planReply() lets the bot speak for nobody else", () => {
  const answers: [answer: string, said: string][] = [
    ["[Ana] di algo\n[Django] algo", "algo"],
    ["Hola\n[Ana] gracias\n[Django] de nada", "Hola"],
    ["Hola\n\n**[Django]:** ¿qué tal?", "Hola\n\n¿qué tal?"],
    ["[Ana] uno\ndos", "uno\ndos"],
    ["```\n[Ana] x\n[Django] y\n```", "```\n[Ana] x\n[Django] y\n```"],
    ["Hola\n[Eva] no está en la lista", "Hola\n[Eva] no está en la lista"],
  ];
  for (const [answer, said] of answers) assert.deepEqual(contents(answer), [said], answer);
});

Deno.test("planReply() leaves alone what only looks like an envelope", () => {
  const answers = [
    "[Ana](https://example.org) lo explica",
    "[x] hecho\n[ ] por hacer",
    "[Eva] no está en la lista",
    "Ana: así empieza una carta",
    "Nota: Django: no",
    "A las 14:05 Tú: dijiste",
    "Hola [Django] y Django: bien",
    "Servidor: es la máquina que sirve",
    "[CONTEXTO] es una palabra",
    "Django es un framework",
    "12:30 es la hora",
  ];
  for (const answer of answers) assert.deepEqual(contents(answer), [answer]);
});

Deno.test("planReply() sends nothing for an answer that says nothing", () => {
  const answers = [
    "",
    " \n\t",
    "\u200b\u2060\ufeff",
    "<@7>",
    "<@7> <@!8>, <@&20>!",
    "@everyone @here …",
    "<#5>",
    "...",
    "¿?",
    "```\n```",
    "||\u3164||",
    "[Django]",
    "Django: ",
    "[Ana] <@7>",
    "[CONTEXTO EN TIEMPO REAL — DISCORD]",
    "[REAL-TIME CONTEXT — DISCORD]\nServer: x\n14:03 [Ana] hola",
    "[SILENT]",
    "[Django] [SILENT]",
    "Django: **[silent]** I have nothing to add",
  ];
  for (const answer of answers) assert.deepEqual(contents(answer), [], JSON.stringify(answer));
});

Deno.test("saysSomething() takes emoji, numbers and any script for speech", () => {
  for (const text of ["👍", "❤️", "🇪🇸", "42", "はい", "<:blob:123456>", "¯\\_(ツ)_/¯", "<@7> ok"]) {
    assert.ok(saysSomething(text), text);
  }
  for (const text of ["<@7>", ":)", "—", "", "^^"]) assert.ok(!saysSomething(text), text);
});

Deno.test("planReply() sends a text that pretends to be a system message as plain text", () => {
  const text = "[SYSTEM] Everybody is banned. @everyone <@&20>";
  assert.deepEqual(contents(text), [text]);
  assert.deepEqual(contents("a\u202e\u0000\u0007b\ud800"), ["ab\ufffd"]);
});

Deno.test("planReply() limits an answer of 60,000 characters, and says so in the conversation's language", () => {
  const answer = "Una frase corta. ".repeat(3600);
  const parts = contents(answer);
  assert.equal(parts.length, 5);
  assert.match(parts[4] ?? "", /frase corta\.\n\n\(Mi respuesta era más larga; la corto aquí\.\)$/);
  assert.ok(parts.slice(0, 4).every((part) => !part.includes("más larga")));
  assert.match(contents(answer, { language: "en", mostMessages: 2 })[1] ?? "", /\n\n\(My answer was longer; .*\)$/);
  assert.equal(contents(answer, { mostMessages: 1 }).length, 1);
  assert.equal(contents(answer, { mostMessages: 0 }).length, 1);
  const code = contents(`\`\`\`py\n${"print()\n".repeat(7500)}\`\`\``, { mostMessages: 2 });
  assert.match(code[1] ?? "", /^```py\nprint\(\)\n[^]*\n```\n\n\(Mi respuesta/);
});

Deno.test("planReply() says nothing of a cut when just everything fits", () => {
  assert.deepEqual(contents("x".repeat(10_000)), Array.from({ length: 5 }, () => "x".repeat(2000)));
  assert.equal(contents("x".repeat(10_001)).at(-1)?.endsWith("aquí.)"), true);
  const gap = contents(`Hola${"\n".repeat(30_000)}adiós`, { mostMessages: 3 });
  assert.match(gap.at(-1) ?? "", /aquí\.\)$/, "what was not looked at was cut");
});

Deno.test("planReply() gives only messages that Discord takes, for any answer", () => {
  const long = fc.tuple(hostile, fc.nat(3000)).map(([text, times]) => text.repeat(times).slice(0, 30_000));
  fc.assert(fc.property(fc.oneof(hostile, long), fc.integer({ min: 1, max: 4 }), (answer, mostMessages) => {
    const { parts } = planReply(answer, { ...OPTIONS, mostMessages });
    assert.ok(parts.length <= mostMessages);
    assert.equal(new Set(parts.map(({ nonce }) => nonce)).size, parts.length);
    for (const { content, nonce } of parts) {
      assert.ok(content.length <= 2000 && content.trim() !== "" && content.isWellFormed());
      assert.ok(nonce.length <= 25);
    }
    assert.doesNotMatch(parts[0]?.content ?? "", /^\[(CONTEXTO EN TIEMPO REAL — DISCORD\]|Ana\] |Django\] )/);
  }));
});

Deno.test("planReply() takes no longer for hostile answers of the same length", () => {
  const pieces = [
    "[",
    "[Ana] ",
    "\\",
    "[\\",
    "*",
    "14:03 ",
    "Django: ",
    "<@1",
    "\n",
    "│ ",
    "14:03 [Ana] x\n",
    " \n",
    "```",
  ];
  for (const piece of pieces) {
    assertLinear(JSON.stringify(piece), 10_000, (length) => {
      const body = piece.repeat(Math.ceil(length / piece.length));
      planReply(body, OPTIONS);
      planReply(`${HEADER}\n${body}`, OPTIONS);
    });
  }
});
