import { BOT_ID, BOT_TOKEN, type FakeGateway, startFakeGateway } from "../support/fake_gateway.ts";
import { until } from "../support/rig.ts";
import { type Figure, median } from "./measure.ts";
import { memoryOf, programCommand } from "./program.ts";

const ROUNDS = 5;
const GUILDS = 50;
const MEMBERS = 10_000;
const CHANNELS = 500;
/** Messages that are not for the bot, a second, and for how long. */
const CHATTER = { perSecond: 5000, seconds: 10 };
const MESSAGES = 1_000_000;
/** As many are sent before the bot has to catch up. */
const BATCH = 2000;
const OP = { heartbeat: 1, members: 8 };
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
      note: `median of ${ROUNDS}, ${GUILDS} servers`,
    },
    await benchAsking(bot),
    ...await benchChatter(bot),
    ...await benchMemory(bot),
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
    note: `median of ${times.length}, one after the other; longest ${Math.max(...times).toFixed(1)} ms`,
  };
}

/** What chatter costs that is not for the bot. */
async function benchChatter(bot: Bot): Promise<Figure[]> {
  const before = await processorSeconds(bot.pid);
  if (before === undefined) return [];
  const { perSecond, seconds } = CHATTER;
  const startedAt = performance.now();
  let sent = 0;
  while (sent < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, (performance.now() - startedAt) / 1000 * perSecond);
    for (; sent < due; sent++) bot.say("nada para el bot, solo charla", sent);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await bot.caughtUp();
  const tookSeconds = (performance.now() - startedAt) / 1000;
  const used = (await processorSeconds(bot.pid) ?? NaN) - before;
  return [{
    what: "bot, 5,000 messages a second",
    value: used / tookSeconds * 100,
    unit: "% of a core",
    bound: { kind: "at most", value: 30 },
    note: `${Math.round(sent / tookSeconds).toLocaleString("en")} a second for ${tookSeconds.toFixed(1)} s`,
  }];
}

/** What a long life leaves in memory. */
async function benchMemory(bot: Bot): Promise<Figure[]> {
  const seen: number[] = [];
  for (let sent = 0; sent < MESSAGES;) {
    for (let each = 0; each < BATCH; each++, sent++) bot.say(`charla sin dueño número ${sent}`, sent);
    await bot.caughtUp();
    if (sent % (MESSAGES / 10) > 0) continue;
    const memory = await memoryOf(bot.pid);
    if (memory) seen.push(memory.now);
  }
  const last = seen.at(-1);
  if (last === undefined) return [];
  const [before, after] = [seen.slice(0, seen.length / 2), seen.slice(seen.length / 2)];
  return [
    {
      what: "bot, memory after 1,000,000 messages",
      value: last,
      unit: "MB",
      bound: { kind: "at most", value: 120 },
      note: `RSS; ${GUILDS} servers, ${CHANNELS} channels, ${MEMBERS} members`,
    },
    {
      what: "bot, growth from one half of them to the other",
      value: median(after) - median(before),
      unit: "MB",
      bound: { kind: "at most", value: 5 },
      note: `RSS every 100,000: ${seen.map(Math.round).join(", ")} MB`,
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
    say: (content, channel) => discord.sendRaw(message(++id, content, channel % CHANNELS)),
    async caughtUp() {
      const beats = discord.received(OP.heartbeat).length;
      discord.send(OP.heartbeat, null); // Discord's way of asking for a heartbeat at once
      await happens(() => discord.received(OP.heartbeat).length > beats);
    },
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

const guildOf = (channel: number) => String((BigInt(channel % GUILDS) + 1n) << 22n);
const channelId = (channel: number) => String(1_000_000 + channel);
const personId = (person: number) => String(2_000_000 + person);

function servers() {
  return Array.from({ length: GUILDS }, (_, guild) => ({
    id: guildOf(guild),
    name: `Servidor ${guild}`,
    owner_id: personId(guild),
    channels: Array.from({ length: CHANNELS / GUILDS }, (_, index) => ({
      id: channelId(guild + index * GUILDS),
      type: 0,
      name: `canal-${index}`,
      topic: "de todo un poco",
    })),
    members: Array.from({ length: MEMBERS / GUILDS }, (_, index) => ({
      user: { id: personId(guild + index * GUILDS), username: `persona_${index}`, global_name: `Persona ${index}` },
      roles: [],
    })),
  }));
}

/** As text: a million of them must not cost this process more than the one that is measured. */
function message(id: number, content: string, channel: number): string {
  const author = `{"id":"${personId(channel)}","username":"persona","global_name":"Persona"}`;
  const mentions = content.includes(BOT_ID) ? `{"id":"${BOT_ID}","username":"django"}` : "";
  return `{"op":0,"t":"MESSAGE_CREATE","s":${id},"d":{"id":"${id}","channel_id":"${channelId(channel)}",` +
    `"guild_id":"${guildOf(channel)}","author":${author},"member":{"roles":[]},"content":"${content}",` +
    `"mentions":[${mentions}],"mention_roles":[],"attachments":[],"type":0,` +
    `"timestamp":"2026-11-29T08:00:00.000000+00:00"}}`;
}

/** Seconds of a processor that a process has used; undefined where the system does not tell. */
async function processorSeconds(pid: number): Promise<number | undefined> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return user === undefined || system === undefined ? undefined : (user + system) / TICKS_PER_SECOND;
}
