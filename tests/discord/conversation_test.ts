import assert from "node:assert/strict";
import { Slots } from "../../src/core/slots.ts";
import { TooLongError } from "../../src/discord/agent_api.ts";
import { Conversation, type ConversationOptions } from "../../src/discord/conversation.ts";
import { message } from "./messages.ts";

const USER = { id: "discord:7", name: "Ana" };
const REQUEST = { message: "hola", conversation_id: "discord:5", cognitive_mode: 2, user: USER } as const;
const nextTask = () => new Promise((resolve) => setTimeout(resolve, 0));

interface SceneOptions {
  /** What the agent answers. */
  readonly answer?: string;
  /** How often the agent finds it too long. */
  readonly tooLong?: number;
  /** Which message of all is refused by Discord, counted from 1. */
  readonly refused?: number;
}

/** A conversation whose agent answers at once; its first answer is posted when `confirm` is called. */
function createScene({ answer = "hola", refused, tooLong = 0 }: SceneOptions = {}) {
  const briefs: boolean[] = [];
  const [posted, contents, spoken]: [string[], string[], string[]] = [[], [], []];
  const { promise: confirmed, resolve: confirm } = Promise.withResolvers<void>();
  const options: ConversationOptions = {
    channelId: "5",
    api: {
      chat: () =>
        briefs.length <= tooLong
          ? Promise.reject(new TooLongError("too long"))
          : Promise.resolve({ content: answer, silent: false }),
    },
    rest: {
      async post(_, { content, replyTo = "" }) {
        if (posted.push(replyTo) === 1) await confirmed;
        if (posted.length === refused) throw new Error("refused");
        contents.push(content);
        return undefined;
      },
      typing: () => Promise.resolve(),
    },
    slots: new Slots(1),
    pictureSlots: new Slots(1),
    ask: (_, { isBrief }) =>
      Promise.resolve(briefs.push(isBrief)).then(() => ({
        request: REQUEST,
        language: "es",
        names: { self: ["Django"], others: [] },
      })),
    language: () => "es",
    pace: () => ({ cooldownMs: 0, readingSpeed: 0 }),
    onSpoken: (text) => void spoken.push(text),
    log: { error() {}, warn() {}, info() {}, debug() {} },
  };
  const conversation = new Conversation(options);
  return { conversation, options, briefs, posted, contents, spoken, confirm };
}

Deno.test("Conversation.hear() loses nothing, in whichever step of an ending answer it comes", async () => {
  for (let steps = 0; steps < 20; steps++) {
    const { conversation, posted, confirm } = createScene();
    conversation.hear("addressed", message("10"));
    await nextTask();
    confirm();
    for (let step = 0; step < steps; step++) await Promise.resolve();
    conversation.hear("addressed", message("11"));
    await nextTask();
    assert.deepEqual(posted, ["10", "11"], `after ${steps} steps`);
    assert.ok(conversation.isIdle);
  }
});

Deno.test("Conversation.hear() begins nothing once it is stopped", async () => {
  const { conversation, posted } = createScene();
  await conversation.stop();
  conversation.hear("addressed", message("10"));
  await nextTask();
  assert.deepEqual(posted, []);
  assert.ok(conversation.isIdle);
});

Deno.test("Conversation has spoken, too, when an answer breaks off midway", async () => {
  const answer = "una frase. ".repeat(300);
  const { conversation, contents, spoken, confirm } = createScene({ answer, refused: 2 });
  conversation.hear("addressed", message("10"));
  confirm();
  await nextTask();
  assert.equal(contents.length, 1);
  assert.deepEqual(spoken, contents);
});

Deno.test("Conversation says so, once, when an answer to somebody who waits has nothing in it", async () => {
  for (const answer of ["", "<@7> @everyone", "[Django]"]) {
    const { conversation, contents, spoken, confirm } = createScene({ answer });
    confirm();
    for (const id of ["10", "11"]) {
      conversation.hear("addressed", message(id));
      await nextTask();
    }
    assert.deepEqual(contents, ["Ahora mismo no puedo responder."], answer);
    assert.deepEqual(spoken, []);
  }
  const silent = createScene({ answer: "[Django]: [SILENT]" });
  silent.conversation.hear("addressed", message("10"));
  const ambient = createScene({ answer: "" });
  ambient.conversation.hear("ambient", message("10"));
  await nextTask();
  assert.deepEqual([...silent.posted, ...ambient.posted], []);
});

Deno.test("Conversation asks once more in brief what was too long, and then says that it is", async () => {
  for (const [tooLong, said] of [[1, "hola"], [2, "Eso es demasiado largo para mí."]] as const) {
    const { conversation, briefs, contents, confirm } = createScene({ tooLong });
    confirm();
    conversation.hear("addressed", message("10"));
    await nextTask();
    assert.deepEqual(briefs, [false, true]);
    assert.deepEqual(contents, [said]);
  }
});

Deno.test("Conversation.stop() lets what is being answered finish in its time, and drops what waits", async () => {
  const { conversation, contents, confirm } = createScene();
  conversation.hear("addressed", message("10"));
  await nextTask();
  conversation.hear("addressed", message("11"));
  const stopped = conversation.stop(60_000);
  confirm();
  await stopped;
  assert.deepEqual(contents, ["hola"]);
});

Deno.test("Conversation begins a question anew only so often, however often it is edited", async () => {
  const asked: string[] = [];
  const conversation = new Conversation({
    ...createScene().options,
    api: {
      chat: (_, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    },
    ask: ({ messages: [first] }) => {
      asked.push(first?.content ?? "");
      return Promise.resolve({ request: REQUEST, language: "es", names: { self: [], others: [] } });
    },
  });
  conversation.hear("addressed", message("10", { content: "0" }));
  for (let edit = 1; edit < 10; edit++) {
    await nextTask();
    conversation.edited(message("10", { content: `${edit}` }));
  }
  await nextTask();
  assert.deepEqual(asked, ["0", "1", "2", "3"]);
  conversation.deleted(["10"]);
  await nextTask();
});
