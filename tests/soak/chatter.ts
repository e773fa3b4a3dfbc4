/** What people write on Discord: the greatest part is not for the bot; what is for it is followed until it is answered. */
import { untilRead } from "../support/bot_waits.ts";
import {
  CHANNELS,
  commandPacket,
  deletionPacket,
  memberId,
  MEMBERS_A_GUILD,
  messagePacket,
  type Said,
} from "../support/crowd.ts";
import { BOT_ID, type FakeGateway } from "../support/fake_gateway.ts";
import { type Owed, type Replies, ReplyLedger } from "./replies.ts";

/** After so many messages the bot is given time to read them: Discord sends no faster than a connection takes. */
const BURST = 250;
/** Of so many messages some are for the bot. */
const ROUND = 500;
/** Members of every server that ask; the others give commands, lest `!forget me` drop a question. */
const ASKERS = 150;
/** No answer for so long means that the missing ones are lost. */
const PATIENCE_MS = 30_000;

const TEXT_COMMANDS = ["!help", "!who", "!status", "!olvídame", "!memory riego", "!full ¿qué hay de nuevo?"];
const LISTED_COMMANDS = ["help", "who", "status"];

export class Chatter {
  readonly #discord: FakeGateway;
  readonly #replies: ReplyLedger;
  #id = 10 ** 15;
  #said = 0;
  #asked = 0;

  constructor(discord: FakeGateway) {
    this.#discord = discord;
    this.#replies = new ReplyLedger(discord.rest);
  }

  /** Says so much more, as fast as the bot reads it, and resolves when everything is answered that ever will be. */
  async say(messages: number): Promise<void> {
    for (const last = this.#said + messages; this.#said < last;) {
      const burst = Math.min(BURST, last - this.#said);
      for (let count = 0; count < burst; count++) this.#sayOne(this.#said++);
      await untilRead(this.#discord);
    }
    await this.#untilAnswered();
  }

  get replies(): Replies {
    return this.#replies.summary;
  }

  #sayOne(index: number): void {
    switch (index % ROUND) {
      case 20:
      case 120:
      case 220:
      case 320:
        this.#ask(`<@${BOT_ID}> ¿qué hora es?`, "by the model");
        break;
      case 70:
      case 170:
        this.#ask("¿y eso por qué?", "by the model", { repliesTo: BOT_ID });
        break;
      case 270:
        this.#ask("Django, ¿qué planto hoy?", "by the model");
        break;
      case 370:
        this.#ask("¿estás ahí?", "by the model", { isDirect: true, ...this.#directly(index) });
        break;
      case 420:
        this.#command(Math.floor(index / ROUND));
        break;
      case 470:
        this.#choose(Math.floor(index / ROUND));
        break;
      case 480:
        this.#askAndChange();
        break;
      default:
        this.#talk(index);
    }
  }

  /** Chatter: by people, some of it in reply to others, edited or deleted again; and by other bots. */
  #talk(index: number): void {
    const said: Said = {
      id: ++this.#id,
      content: "nada para el bot, solo un poco de charla",
      channel: index % CHANNELS,
      ...(index % 20 === 3 && { repliesTo: memberId(index, 7) }),
      ...(index % 50 === 7 && { isBot: true }),
    };
    this.#send(messagePacket(said));
    if (index % 100 === 11) {
      this.#send(messagePacket({ ...said, type: "MESSAGE_UPDATE", content: "charla, mejor dicha" }));
    }
    if (index % 100 === 12) this.#send(deletionPacket(said, ++this.#id));
  }

  /** The next one of those who ask, somewhere: nobody asks twice in a row in a channel, or that would be one question. */
  #asker(): { readonly channel: number; readonly member: number } {
    const count = this.#asked++;
    return { channel: count * 7 % CHANNELS, member: count % ASKERS };
  }

  #ask(content: string, owed: Owed, change: Partial<Said> = {}): Said {
    const said = { id: ++this.#id, content, ...this.#asker(), ...change };
    this.#replies.owe(String(said.id), owed);
    this.#send(messagePacket(said));
    return said;
  }

  /** In turn one of a thousand people, of whom each has direct messages of their own. */
  #directly(index: number): { readonly channel: number; readonly member: number } {
    const person = Math.floor(index / ROUND) % 1000;
    return { channel: person % 50, member: Math.floor(person / 50) };
  }

  /** Two questions that wait behind another one of their channel: one is asked otherwise, the other taken back. */
  #askAndChange(): void {
    const { channel, member } = this.#ask(`<@${BOT_ID}> ¿quién riega?`, "by the model");
    const here = (step: number) => ({ channel, member: ((member ?? 0) + step) % ASKERS });
    const edited = this.#ask(`<@${BOT_ID}> ¿quien planta?`, "by the model", here(1));
    const deleted = this.#ask(`<@${BOT_ID}> ¿quién sabe?`, "at most one", here(2));
    this.#send(messagePacket({ ...edited, type: "MESSAGE_UPDATE", content: `<@${BOT_ID}> ¿quién planta?` }));
    this.#send(deletionPacket(deleted, ++this.#id));
  }

  #command(count: number): void {
    const content = TEXT_COMMANDS[count % TEXT_COMMANDS.length] ?? "";
    const said = { id: ++this.#id, content, ...this.#commander(count) };
    this.#replies.owe(String(said.id), content.startsWith("!full") ? "by the model" : "by the bot");
    this.#send(messagePacket(said));
  }

  #choose(count: number): void {
    const said = { id: ++this.#id, content: "", ...this.#commander(count) };
    this.#replies.owe(`token-${said.id}`, "by the bot");
    this.#send(commandPacket(said, LISTED_COMMANDS[count % LISTED_COMMANDS.length] ?? ""));
  }

  #commander(count: number): { readonly channel: number; readonly member: number } {
    return { channel: count * 3 % CHANNELS, member: ASKERS + count % (MEMBERS_A_GUILD - ASKERS) };
  }

  #send(packet: string): void {
    this.#discord.sendRaw(packet);
  }

  async #untilAnswered(): Promise<void> {
    let quietSinceMs = performance.now();
    for (let missing = this.#replies.missing(); missing > 0 && performance.now() < quietSinceMs + PATIENCE_MS;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const now = this.#replies.missing();
      if (now < missing) quietSinceMs = performance.now();
      missing = now;
    }
  }
}
