import assert from "node:assert/strict";
import { BOT_ID, BOT_TOKEN } from "../support/fake_gateway.ts";
import { until } from "../support/rig.ts";
import { CHANNEL, createBotWorld } from "./bot_world.ts";
import { serve } from "./served.ts";

const HELLO = `<@${BOT_ID}> ¿qué planto hoy?`;
const MODERATOR = { member: { roles: ["77"] } };
const says = (text: string) => ({ kind: "answer", tokens: [text] }) as const;

Deno.test("serve with a bot's token answers who mentions it, knows the channel, and keeps quiet otherwise", async () => {
  await using bot = await createBotWorld();
  await using served = await bot.serve();
  bot.say("me gusta el tomate");
  const id = bot.say(HELLO);
  await bot.untilPosted(1);
  assert.deepEqual(bot.posted(), ["Hola, soy Django."]);
  const { allowed_mentions: mentions, message_reference: reference } = bot.discord.rest.messages[0]?.payload ?? {};
  assert.deepEqual(mentions, { parse: [], replied_user: false });
  assert.equal((reference as { message_id: string }).message_id, id);
  const [asked = "", ...more] = bot.asked();
  assert.deepEqual(more, []);
  for (const part of ["CONTEXTO EN TIEMPO REAL", "Huerto", "general", "plantas", "me gusta el tomate", "[Ana]"]) {
    assert.ok(asked.includes(part), part);
  }
  const health = await (await served.get("/health")).json();
  assert.deepEqual(health.bot, { state: "ready" });
  served.program.kill("SIGTERM");
  const { code, stdout, stderr } = await served.program.finished;
  assert.equal(code, 0, stderr);
  for (const secret of [BOT_TOKEN, "tomate", "planto"]) assert.ok(!`${stdout}${stderr}`.includes(secret), stderr);
});

Deno.test("the bot listens to its name, to replies and in direct messages, and to no bot, webhook or itself", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  bot.say(HELLO, { author: { id: "13", username: "robot", bot: true } });
  bot.say(HELLO, { webhook_id: "14" });
  bot.say(HELLO, { author: { id: BOT_ID, username: "django", bot: true } });
  bot.say(`\`${HELLO}\``);
  bot.say(`> ${HELLO}`);
  bot.say("<@12> y tú, ¿qué planta Django?", { channel_id: "201" }); // named, although to somebody else
  bot.say("oye DJÁNGO, buenos días", { channel_id: "202" });
  bot.say("¿y mañana?", {
    channel_id: "203",
    message_reference: { message_id: "5" },
    referenced_message: { id: "5", author: { id: BOT_ID, username: "django", bot: true } },
  });
  bot.say("hola", { channel_id: "204", guild_id: undefined });
  await bot.untilPosted(4);
  const channels = bot.discord.rest.messages.map(({ channelId }) => channelId).sort();
  assert.deepEqual(channels, ["201", "202", "203", "204"]);
  assert.equal(bot.asked().length, 4);
});

Deno.test("the bot never mixes channels: each has its own conversation and its own last messages", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  bot.say(`<@${BOT_ID}> el secreto es azul`);
  await bot.untilPosted(1);
  bot.say(`<@${BOT_ID}> ¿qué secreto?`, { channel_id: "201" });
  await bot.untilPosted(2);
  assert.ok(!bot.asked()[1]?.includes("azul"));
  bot.say(`<@${BOT_ID}> ¿y aquí?`);
  await bot.untilPosted(3);
  assert.ok(bot.asked()[2]?.includes("azul"));
});

Deno.test("the bot may speak where ambient talk is on, and says nothing when the model chooses silence", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0, ambient: { channels: { [CHANNEL]: "on" } } });
  await using _served = await bot.serve();
  bot.world.ollama.next(says("[SILENT]"));
  bot.say("¿alguien sabe de abonos?");
  await until(() => bot.asked().length === 1);
  bot.say("¿alguien sabe de abonos?", { channel_id: "201" }); // off there
  bot.say(HELLO);
  await bot.untilPosted(1);
  assert.equal(bot.asked().length, 2);
  const typing = bot.discord.rest.calls.filter(({ path }) => path.includes("/typing"));
  assert.equal(typing.length, 1); // only for the answer that came
});

Deno.test("the bot answers an edited question as it reads now, and a deleted one not at all", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  bot.world.ollama.next({ kind: "silence" }, says("Nueva."), { kind: "silence" }, says("Otra."));
  const id = bot.say(`<@${BOT_ID}> vieja`);
  await until(() => bot.asked().length === 1);
  bot.edit(id, `<@${BOT_ID}> nueva`);
  await bot.untilPosted(1);
  assert.ok(bot.asked()[1]?.includes("nueva") && !bot.asked()[1]?.includes("vieja"));
  const gone = bot.say(`<@${BOT_ID}> me arrepiento`);
  await until(() => bot.asked().length === 3);
  bot.remove(gone);
  bot.say(`<@${BOT_ID}> otra cosa`);
  await bot.untilPosted(2);
  assert.deepEqual(bot.posted(), ["Nueva.", "Otra."]);
});

Deno.test("the bot takes a burst of one person together while it is busy, and answers after its cooldown", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0.3 });
  await using _served = await bot.serve();
  bot.world.ollama.next({ kind: "answer", tokens: ["Uno."], firstTokenDelayMs: 300 });
  bot.say(`<@${BOT_ID}> primera`);
  await until(() => bot.asked().length === 1);
  for (const word of ["segunda", "tercera"]) bot.say(`<@${BOT_ID}> ${word}`);
  await bot.untilPosted(2);
  assert.equal(bot.asked().length, 2);
  for (const word of ["segunda", "tercera"]) assert.ok(bot.asked()[1]?.includes(word));
});

Deno.test("the bot says once that nothing can answer, in the language of who waits, and nothing of the error", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using served = await bot.serve();
  await bot.world.ollama.down();
  bot.say(`<@${BOT_ID}> what should we plant today, my friend?`);
  await bot.untilPosted(1);
  bot.say(`<@${BOT_ID}> and tomorrow?`);
  await until(() => served.program.told.split("No answer in a channel").length === 3);
  bot.say("!status");
  await bot.untilPosted(2);
  const [first, second = ""] = bot.posted();
  assert.equal(first, "I cannot answer right now.");
  assert.match(second, /^django-agent /);
});

Deno.test("commands do what they say, for those who may", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  const command = async (content: string, changes = {}) => {
    const before = bot.posted().length;
    bot.say(content, changes);
    await bot.untilPosted(before + 1);
    return bot.posted().at(-1) ?? "";
  };
  assert.match(await command("!ayuda"), /!reset/);
  assert.match(await command("!quién"), /^Miembros \(\d\): .*Ana/);
  assert.equal(
    await command("!reset", { author: { id: "12", username: "bob" } }),
    "Ese comando no te está permitido aquí.",
  );
  assert.match(await command("!nueva", MODERATOR), /empieza de nuevo/);
  assert.equal(await command("!full ¿quién eres?"), "Hola, soy Django.");
  assert.match(await command("!full"), /detrás del comando/);
  assert.match(await command("!olvídame"), /he olvidado/);
  assert.match(await command("!silencio", MODERATOR), /callo aquí durante 30 minutos/);
  const asked = bot.asked().length;
  bot.say(HELLO);
  assert.equal(
    await command("!reset", { ...MODERATOR, channel_id: "201" }),
    "Hecho: la conversación de este canal empieza de nuevo.",
  );
  assert.equal(bot.asked().length, asked);
});

Deno.test("the bot offers its commands in Discord's list, defers them, and answers each", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  const { rest } = bot.discord;
  await until(() => rest.commands.size === 8);
  assert.deepEqual([...rest.commands.keys()].sort(), [
    "forget",
    "full",
    "help",
    "memory",
    "mute",
    "reset",
    "status",
    "who",
  ]);
  for (const command of rest.commands.values()) {
    assert.ok(String(command["description"]).length > 5);
    assert.ok("es-ES" in (command["description_localizations"] as object));
  }
  const answerTo = async (...chosen: Parameters<typeof bot.choose>) => {
    const token = bot.choose(...chosen);
    await until(() => rest.answers.some(({ interactionToken }) => interactionToken === token));
    assert.ok(rest.deferred.includes(token));
    return rest.answers.find(({ interactionToken }) => interactionToken === token)?.contents.join("\n") ?? "";
  };
  assert.equal(await answerTo("full", { question: "¿quién eres?" }), "Hola, soy Django.");
  assert.ok(bot.asked()[0]?.includes("[bob] ¿quién eres?"));
  assert.match(await answerTo("help"), /!reset/);
  assert.equal(await answerTo("reset"), "Ese comando no te está permitido aquí.");
  const moderator = { user: { id: "12", username: "bob" }, roles: [], permissions: String(1 << 13) };
  assert.match(await answerTo("reset", {}, { member: moderator }), /empieza de nuevo/);
  bot.world.ollama.next(says("[SILENT]"));
  assert.equal(await answerTo("full", { question: "nada" }), "A eso no tengo nada que decir.");
  await bot.world.ollama.down();
  assert.match(await answerTo("full", { question: "¿y ahora?" }), /no puedo responder/);
  assert.match(await answerTo("mute", { minutes: 5 }, { member: moderator }), /durante 5 minutos/);
  assert.deepEqual(bot.posted(), []);
});

Deno.test("the bot tells the model of files it could not get, and asks nobody but Discord for them", async () => {
  await using bot = await createBotWorld();
  await using _served = await bot.serve();
  const { origin } = new URL(bot.discord.apiUrl);
  const attachments = [
    { filename: "lista.txt", url: `${origin}/files/lista.txt`, size: 10 },
    { filename: "trampa.txt", url: "http://127.0.0.1:9/trampa.txt", size: 10 },
    { filename: "foto.png", url: `${origin}/files/foto.png`, size: 10, content_type: "image/png" },
  ];
  bot.say(HELLO, { attachments });
  await bot.untilPosted(1);
  const [asked = ""] = bot.asked();
  for (const { filename } of attachments) assert.ok(asked.includes(filename), filename);
  assert.ok(asked.includes("no se ha podido descargar"));
});

Deno.test("the bot shows pictures to a model that sees, over the API of another process too", async () => {
  await using bot = await createBotWorld({}, (models) => {
    models.providers.ollama.models["llama3.2"] = { context: 8192, vision: true };
    return models;
  });
  await using served = await serve(bot.world);
  const program = bot.world.start(["bot", "--api", served.origin, "--data", "data/bot"], { env: bot.env });
  await until(() => bot.discord.received(8).length > 0);
  const [png, { origin }] = [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], new URL(bot.discord.apiUrl)];
  bot.discord.rest.files.set("/files/foto.png", new Uint8Array(png));
  bot.say(HELLO, { attachments: [{ filename: "foto.png", url: `${origin}/files/foto.png`, size: png.length }] });
  await bot.untilPosted(1);
  const messages = bot.world.ollama.chats[0]?.body["messages"] as Record<string, unknown>[];
  assert.deepEqual(messages.at(-1)?.["images"], [new Uint8Array(png).toBase64()]);
  assert.match(String(messages.at(-1)?.["content"]), /Imágenes adjuntas: «foto\.png»$/);
  program.kill("SIGINT");
  await program.finished;
});

Deno.test("bot is the Discord side alone, with the agent of a running serve", async () => {
  await using bot = await createBotWorld();
  await using served = await serve(bot.world);
  const args = ["bot", "--api", served.origin, "--data", "data/bot"];
  const program = bot.world.start(args, { env: bot.env });
  await until(() => bot.discord.received(8).length > 0);
  bot.say(HELLO);
  await bot.untilPosted(1);
  assert.deepEqual(bot.posted(), ["Hola, soy Django."]);
  program.kill("SIGINT");
  const { code, stderr } = await program.finished;
  assert.equal(code, 0, stderr);
  assert.ok(!stderr.includes(BOT_TOKEN));
});

Deno.test("bot says what is missing: the token, a usable discord.json, a server that lets it in", async () => {
  await using bot = await createBotWorld();
  const run = (env: Record<string, string>) => bot.world.run(["bot", "--data", "data/bot"], { env });
  const missing = await run({});
  assert.equal(missing.code, 77);
  assert.match(missing.stderr, /DISCORD_BOT_TOKEN is not set\n→ Put it into \.env/);
  bot.discord.nextLines({ kind: "close", code: 4004 });
  const refused = await run(bot.env);
  assert.equal(refused.code, 77, refused.stderr);
  assert.ok(!refused.stderr.includes(BOT_TOKEN));
  await Deno.writeTextFile(`${bot.world.folder}/config/discord.json`, '{"cooldown": 5}');
  const broken = await run(bot.env);
  assert.equal(broken.code, 78);
  assert.match(broken.stderr, /discord\.json.*cooldown/s);
});

Deno.test("bot says at once when there is no agent where it looks for it, or something else", async () => {
  await using bot = await createBotWorld();
  const { origin } = new URL(bot.discord.apiUrl);
  const cases = [
    ["http://127.0.0.1:9", /Nothing answers at http:\/\/127\.0\.0\.1:9 → Start `serve` there, or say with --api/],
    [origin, /127\.0\.0\.1:\d+ answered with status 401, and not as `serve` does → Check the address behind --api/],
  ] as const;
  for (const [api, told] of cases) {
    const program = bot.world.start(["bot", "--api", api, "--data", "data/bot"], { env: bot.env });
    await program.waitUntilTold("→");
    program.kill("SIGINT");
    const { code, stderr } = await program.finished;
    assert.equal(code, 0, stderr);
    assert.match(stderr, told);
  }
});
