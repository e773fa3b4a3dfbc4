import { untilRead } from "../support/bot_waits.ts";
import { CHANNELS, GUILDS, MEMBERS, messagePacket, servers } from "../support/crowd.ts";
import { BOT_ID, BOT_TOKEN, type FakeGateway, startFakeGateway } from "../support/fake_gateway.ts";
import { until } from "../support/rig.ts";
import { median } from "../support/statistics.ts";
import { sampleVitals } from "../support/vitals.ts";
import { MEMORY_RISE_MB } from "./bounds.ts";
import { type Figure, spreadOf } from "./measure.ts";
import { programCommand } from "./program.ts";
import { measureScaling } from "./scaling.ts";

const ROUNDS = 5;
/** Messages that are not for the bot, a second, and how many in all: three minutes and twenty seconds of them. */
const CHATTER = { perSecond: 5000, messages: 1_000_000 };
const OP = { members: 8 };
/** Of `/proc`: user and system time are counted in hundredths of a second (proc(5), USER_HZ). */
const TICKS_PER_SECOND = 100;

interface Bot extends AsyncDisposable {
  readonly discord: FakeGateway;
  readonly pid: number;
  /** From the start of the process until it has asked for members, which it does at READY. */
  readonly readyMs: number;
  /** Resolves once this is so. @throws Error when the bot has ended instead */
  happens(happened: () => boolean): Promise<void>;
  /** Somebody says something in one of the channels. */
  say(content: string, channel: number): void;
  /** Resolves when everything that was sent has been read. */
  caughtUp(): Promise<void>;
  /** Resolves with the time at which the agent is asked next. */
  asked(): Promise<number>;
}

/** Figures of `bot` as a process of its own, with the fake Discord in this one. */
export async function benchBot(): Promise<Figure[]> {
  const ready: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    await using bot = await startBot();
    if (round >= 0) ready.push(bot.readyMs);
  }
  await using bot = await startBot();
  await bot.happens(() => bot.discord.received(OP.members).length === GUILDS);
  return [
    {
      what: "bot, start to READY",
      value: median(ready),
      unit: "ms",
      bound: { kind: "at most", value: 2000 },
      spread: spreadOf(ready),
      note: `median of ${ROUNDS}, ${GUILDS} servers`,
    },
    await benchAsking(bot),
    await benchBurst(),
    ...await benchChatter(bot),
  ];
}

/** How long a message takes to become a question to the agent. */
async function benchAsking(bot: Bot): Promise<Figure> {
  const times: number[] = [];
  for (let channel = 0; channel < 100; channel++) {
    const asked = bot.asked();
    const sentAt = performance.now();
    bot.say(`<@${BOT_ID}> ¿qué hora es?`, channel);
    const tookMs = await asked - sentAt;
    if (channel >= 20) times.push(tookMs); // the first ones are not counted
  }
  return {
    what: "bot, message to its call of the API",
    value: median(times),
    unit: "ms",
    bound: { kind: "at most", value: 10 },
    spread: spreadOf(times),
    note: `median of ${times.length}, one after the other; longest ${Math.max(...times).toFixed(1)} ms`,
  };
}

/** How long the bot takes to read what comes all at once. */
async function benchBurst(): Promise<Figure> {
  await using bot = await startBot();
  return await measureScaling({
    what: "500 → 5,000 → 50,000 messages at once",
    sizes: [500, 5000, 50_000],
    costOf: "each",
    mostTimes: 1.5,
    async measure(messages) {
      const startedAt = performance.now();
      for (let sent = 0; sent < messages; sent++) bot.say("nada para el bot, solo un poco de charla", sent);
      await bot.caughtUp();
      return performance.now() - startedAt;
    },
  });
}

/** What chatter costs that is not for the bot, in time and in memory. */
async function benchChatter(bot: Bot): Promise<Figure[]> {
  const { perSecond, messages } = CHATTER;
  const before = await processorSeconds(bot.pid);
  if (before === undefined) return [];
  const memory: number[] = [];
  const startedAt = performance.now();
  for (let sent = 0; sent < messages;) {
    const due = Math.min(messages, (performance.now() - startedAt) / 1000 * perSecond);
    while (sent < due) {
      bot.say("nada para el bot, solo un poco de charla", sent++);
      if (sent % (messages / 10) > 0) continue;
      await bot.caughtUp();
      memory.push((await sampleVitals(bot.pid))?.rssMb ?? NaN);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const tookSeconds = (performance.now() - startedAt) / 1000;
  const used = (await processorSeconds(bot.pid) ?? NaN) - before;
  const [earlier, later] = [memory.slice(0, memory.length / 2), memory.slice(memory.length / 2)];
  return [
    {
      what: "bot, 5,000 messages a second",
      value: used / tookSeconds * 100,
      unit: "% of a core",
      bound: { kind: "at most", value: 30 },
      note: `${Math.round(messages / tookSeconds).toLocaleString("en")} a second for ${tookSeconds.toFixed(0)} s`,
    },
    {
      what: "bot, memory after 1,000,000 messages",
      value: memory.at(-1) ?? NaN,
      unit: "MB",
      bound: { kind: "at most", value: 120 },
      note: `RSS; ${GUILDS} servers, ${CHANNELS} channels, ${MEMBERS} members`,
    },
    {
      what: "bot, memory rise from the first to the second 500,000 messages",
      value: median(later) - median(earlier),
      unit: "MB",
      bound: { kind: "at most", value: MEMORY_RISE_MB.bot },
      note: `RSS every 100,000: ${memory.map(Math.round).join(", ")} MB`,
    },
  ];
}

async function startBot(): Promise<Bot> {
  const folder = await Deno.makeTempDir();
  const discord = await startFakeGateway({ guilds: servers() });
  const agent = startAgent();
  const startedAt = performance.now();
  const child = programCommand(["--config", folder, "--data", `${folder}/data`, "bot", "--api", agent.origin], {
    folder,
    env: { DISCORD_BOT_TOKEN: BOT_TOKEN, DISCORD_API_URL: discord.apiUrl },
  }).spawn();
  const ended = child.output();
  const happens = (happened: () => boolean) => Promise.race([until(happened), ended.then(failed)]);
  await happens(() => discord.received(OP.members).length > 0);
  const readyMs = performance.now() - startedAt;
  let id = 10 ** 15;
  return {
    discord,
    pid: child.pid,
    readyMs,
    happens,
    asked: agent.asked,
    say: (content, channel) => discord.sendRaw(messagePacket({ id: ++id, content, channel: channel % CHANNELS })),
    caughtUp: () => Promise.race([untilRead(discord), ended.then(failed)]),
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
      await discord[Symbol.asyncDispose]();
      await agent[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function failed({ stderr }: Deno.CommandOutput): never {
  throw new Error(`bot has ended: ${new TextDecoder().decode(stderr)}`);
}

/** An agent that never has anything to say. */
function startAgent() {
  let tell: (atMs: number) => void = () => {};
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (new URL(request.url).pathname === "/api/chat") tell(performance.now());
    return Response.json({ content: "", silent: true });
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    asked: () => new Promise<number>((resolve) => tell = resolve),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Seconds of a processor that a process has used; undefined where the system does not tell. */
async function processorSeconds(pid: number): Promise<number | undefined> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return user === undefined || system === undefined ? undefined : (user + system) / TICKS_PER_SECOND;
}
