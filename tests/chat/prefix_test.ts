import assert from "node:assert/strict";
import { type Api, type ApiModels, startApi } from "../support/api.ts";
import { historyIn, promptOf, say, teach } from "../support/conversation.ts";

/** A day's talk: twenty messages and answers of ordinary length. */
const TALK: readonly (readonly [string, string])[] = [
  ["Hola, ¿cómo estás?", "Bien. ¿Qué hay?"],
  ["Estoy cansado, he dormido poco", "¿Y eso? ¿Ruido o cabeza?"],
  ["Los vecinos, otra vez de fiesta", "Vaya. ¿Has hablado con ellos?"],
  ["Todavía no, me da reparo", "Una nota en la puerta cuesta menos."],
  ["Puede ser. ¿Cómo la empezarías?", "Con un «hola, soy el de abajo»."],
  ["Me gusta. ¿Y luego?", "Di a qué hora te levantas, sin reproches."],
  ["A las seis y media", "Pues eso: «me levanto a las seis y media»."],
  ["Vale. ¿Lo firmo?", "Sí, con nombre. Anónimo suena a queja."],
  ["Hecho. Otra cosa: ¿qué ceno?", "¿Qué tienes en la nevera?"],
  ["Huevos, calabacín y queso", "Tortilla de calabacín, diez minutos."],
  ["¿Con el queso dentro?", "Al final, para que funda y no se queme."],
  ["Perfecto. ¿Qué hago mañana?", "Dormir. Y la nota, hoy."],
  ["Jaja, cierto. ¿Y el domingo?", "¿Monte o sofá?"],
  ["Monte, si no llueve", "Entonces mira el cielo el sábado."],
  ["¿A qué hora saldrías tú?", "Temprano, antes del calor."],
  ["¿A las ocho?", "A las ocho, con agua de sobra."],
  ["¿Llevo al perro?", "Si aguanta la cuesta, claro."],
  ["Aguanta más que yo", "Entonces que te lleve él a ti."],
  ["Gracias por la charla", "A ti. Que descanses."],
  ["Buenas noches", "Buenas noches."],
];

/** A prompt as it is sent. */
function bytesOf(api: Api, at: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(promptOf(api.first, at)));
}

/** Bytes that two prompts have in common at their beginning. */
function commonOf(one: Uint8Array, other: Uint8Array): number {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at++;
  return at;
}

/** Of each turn but the first: the share of its bytes that repeat the turn before, and whether messages were dropped. */
async function talk(api: Api, more: object = {}) {
  for (const [message, answer] of TALK) {
    api.first.next({ kind: "answer", tokens: [answer] });
    await say(api, message, { conversation_id: "c1", ...more });
  }
  return TALK.slice(1).map((_, at) => {
    const [before, now] = [bytesOf(api, at), bytesOf(api, at + 1)];
    const dropped = historyIn(promptOf(api.first, at + 1)).length < historyIn(promptOf(api.first, at)).length;
    const common = commonOf(before, now);
    return { share: common / now.length, common, length: now.length, dropped };
  });
}

function overall(turns: readonly { readonly common: number; readonly length: number }[]): number {
  const sum = (of: (turn: { common: number; length: number }) => number) =>
    turns.reduce((total, turn) => total + of(turn), 0);
  return sum(({ common }) => common) / sum(({ length }) => length);
}

Deno.test("over a conversation of 20 turns at least 90 % of each prompt repeat the one before, in both languages", async () => {
  for (const language of ["es", "en"] as const) {
    await using api = await startApi({ change: (models) => ({ ...models, chat: { language } }) });
    const turns = await talk(api);
    for (const [at, { share, dropped }] of turns.entries()) {
      if (!dropped) assert.ok(share >= 0.9, `${language}, turn ${at + 2}: ${(share * 100).toFixed(1)} %`);
    }
    assert.ok(turns.filter(({ dropped }) => dropped).length <= 2, "messages are dropped one by one");
    assert.ok(overall(turns) >= 0.9, `${language}, overall: ${(overall(turns) * 100).toFixed(1)} %`);
  }
});

Deno.test("who speaks, where and with what knowledge changes the end of a prompt only", async () => {
  await using api = await startApi();
  await teach(api, "cena.md", "# Cena\n\nLa tortilla de calabacín con queso se hace en diez minutos.");
  const turns = await talk(api, { user: { id: "1", name: "Ana" }, context: "#general\nAna: hola" });
  for (const [at, { dropped }] of turns.entries()) {
    if (dropped) continue;
    const [before, now] = [promptOf(api.first, at), promptOf(api.first, at + 1)];
    assert.deepEqual(now.slice(0, before.length - 1), before.slice(0, -1), `turn ${at + 2}`);
  }
});

/** The same program with a model of this window, and the second one smaller. */
function withWindows(first: number, second = 4096) {
  return (models: ApiModels) => {
    const { first: one, second: other, ...rest } = models.providers as Record<string, { models: object }>;
    return {
      ...models,
      providers: {
        ...rest,
        first: { ...one, models: { ...one?.models, "llama3.2": { context: first } } },
        second: { ...other, models: { small: { context: second } } },
      },
    };
  };
}

async function startWithWindows(first: number, second?: number): Promise<Api> {
  const api = await startApi({ change: withWindows(first, second) });
  api.first.setResident(["llama3.2"], first);
  return api;
}

const LONG = "una frase bastante larga sobre el huerto y sus tomates ".repeat(24);

Deno.test("a conversation that outgrows the window drops the older half, and stays as it is for a while", async () => {
  await using api = await startWithWindows(4096);
  const lengths: number[] = [];
  for (let turn = 0; turn < 12; turn++) {
    await say(api, `${turn} ${LONG}`, { conversation_id: "c1" });
    const history = historyIn(promptOf(api.first));
    lengths.push(history.length);
    const last = history.at(-2);
    if (turn > 0) assert.ok(last?.startsWith(`${turn - 1} `), "the newest is dropped before the oldest");
    assert.match(promptOf(api.first)[0]?.content ?? "", /^Eres Django[^]*más\nreciente/);
  }
  const drops = lengths.flatMap((length, turn) => turn > 0 && length < (lengths[turn - 1] ?? 0) + 2 ? [turn] : []);
  assert.ok(drops.length >= 1, `nothing was dropped: ${lengths}`);
  for (const turn of drops) {
    const would = (lengths[turn - 1] ?? 0) + 2;
    assert.ok((lengths[turn] ?? 0) <= Math.ceil(would / 2), `only a little was dropped: ${lengths}`);
  }
  for (let at = 1; at < drops.length; at++) {
    assert.ok((drops[at] ?? 0) - (drops[at - 1] ?? 0) > 1, `dropped again at once: ${lengths}`);
  }
  assert.deepEqual(api.second.chats, [], "it was too long for the first model after all");
});

Deno.test("a prompt that is cut to the window stays the beginning of the next one", async () => {
  await using api = await startWithWindows(4096);
  for (let turn = 0; turn < 12; turn++) await say(api, `${turn} ${LONG}`, { conversation_id: "c1" });
  const prompts = api.first.chats.map((_, at) => promptOf(api.first, at));
  const continued = prompts.slice(1).filter((prompt, at) => {
    const before = prompts[at]?.slice(0, -1) ?? [];
    return JSON.stringify(prompt.slice(0, before.length)) === JSON.stringify(before);
  });
  assert.ok(continued.length >= 7, `only ${continued.length} of 11 prompts go on where the one before ended`);
});

/** Talks until the window is full, to a model that makes so many letters a token; the longest prompt in the end. */
async function lettersAfter(api: Api, lettersAToken: number): Promise<number> {
  for (let turn = 0; turn < 12; turn++) {
    const before = turn === 0 ? 4000 : JSON.stringify(promptOf(api.first)).length;
    const input = Math.ceil((before + LONG.length) / lettersAToken);
    api.first.next({ kind: "answer", tokens: ["Sí."], usage: { input, output: 2 } });
    await say(api, `${turn} ${LONG}`, { conversation_id: "c1" });
  }
  return Math.max(...api.first.chats.slice(-6).map(({ body }) => JSON.stringify(body["messages"]).length));
}

Deno.test("how much fits is learned from what the provider counts", async () => {
  const longest: number[] = [];
  for (const lettersAToken of [2, 3.9]) { // the fake itself refuses what is longer at 4 letters a token
    await using api = await startWithWindows(5000);
    longest.push(await lettersAfter(api, lettersAToken));
  }
  const [dense = 0, sparse = 0] = longest;
  assert.ok(dense <= 5000 * 2, `${dense} letters at 2 a token do not fit into 5000 tokens`);
  assert.ok(sparse > dense * 1.4, `${sparse} letters where nearly 4 make a token, ${dense} where 2 do`);
});

Deno.test("a fallback with a smaller window is asked with a shorter prompt, persona and message included", async () => {
  await using api = await startWithWindows(16_384, 3072);
  for (let turn = 0; turn < 9; turn++) await say(api, `${turn} ${LONG}`, { conversation_id: "c1" });
  assert.equal(historyIn(promptOf(api.first)).length, 16);
  api.first.always({ kind: "status", status: 404 });
  const answer = await say(api, "¿Y ahora?", { conversation_id: "c1" });
  assert.deepEqual([answer.model, answer.fallback], ["small", true]);
  const prompt = promptOf(api.second);
  assert.ok(historyIn(prompt).length < 18, "the prompt is as long as it was");
  assert.deepEqual(prompt[0], promptOf(api.first)[0]);
  assert.match(prompt.at(-1)?.content ?? "", /¿Y ahora\?$/);
  const kept = historyIn(prompt);
  assert.ok(kept.length === 0 || kept.at(-2)?.startsWith("8 "), "the newest is dropped before the oldest");
});

Deno.test("a conversation is whole again when only a fallback had too small a window for it", async () => {
  await using api = await startWithWindows(16_384, 3072);
  for (let turn = 0; turn < 9; turn++) await say(api, `${turn} ${LONG}`, { conversation_id: "c1" });
  api.first.next({ kind: "status", status: 404 }, { kind: "status", status: 404 });
  await say(api, "¿Y ahora?", { conversation_id: "c1" });
  await say(api, "¿Y ahora?", { conversation_id: "c1" });
  assert.equal(historyIn(promptOf(api.first)).length, 20, "what one weak moment had no room for is gone for good");
});

Deno.test("one message with much around it does not cost the conversation what was said before", async () => {
  await using api = await startWithWindows(4096);
  await say(api, "Me llamo Ana", { conversation_id: "c1" });
  api.first.next({ kind: "answer", tokens: ["Vaya."] });
  const { model } = await say(api, "¿Qué dicen?", { conversation_id: "c1", context: "Luis: hola ".repeat(800) });
  assert.equal(model, "llama3.2", "this is about a message that is answered");
  await say(api, "¿Cómo me llamo?", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), ["Me llamo Ana", "Hola, soy Django.", "¿Qué dicen?", "Vaya."]);
});

Deno.test("knowledge makes room before a prompt becomes too long", async () => {
  await using api = await startWithWindows(2800);
  for (let at = 0; at < 8; at++) {
    await teach(api, `huerto${at}.md`, `# Huerto ${at}\n\n${`El huerto ${at} se riega el día ${at}. `.repeat(30)}`);
  }
  const { knowledge_sources, model } = await say(api, "¿Cuándo se riega el huerto?");
  assert.equal(model, "llama3.2");
  const learned = knowledge_sources.filter(({ kind }) => kind === "learned_knowledge");
  const shown = promptOf(api.first).at(-1)?.content.match(/^Aprendido de:$/gm)?.length ?? 0;
  assert.equal(learned.length, shown, "sources are named that the model was never shown");
  assert.ok(shown >= 1 && shown < 8, String(shown));
});
