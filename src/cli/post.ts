import type { Command } from "commander";
import { loadEnv } from "../config/env.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { hostAndPort } from "../core/address.ts";
import { composePosts } from "../discord/compose.ts";
import { findProblems, showsNothing } from "../discord/limits.ts";
import type { Post } from "../discord/message.ts";
import type { WebhookAddress } from "../discord/webhook_url.ts";
import { keepOnlyHost } from "../privacy/egress.ts";
import { readAttachments, readPayload, readText } from "./post_input.ts";
import { checkOptions, draftOf, type PostOptions, requireId, skipOf, timeoutOf, usage } from "./post_options.ts";
import { carryOut } from "./post_run.ts";
import { findWebhook } from "./post_target.ts";
import type { CurrentSession } from "./session.ts";
import { listenForStop } from "./stop.ts";

/** `post`: a message, or several, through a Discord webhook. */
export function addPost(program: Command, session: CurrentSession): void {
  const command = program.command("post")
    .description("Post to a Discord channel through a webhook; long texts become several messages")
    .argument("[text]", "what to post; - reads it from standard input");
  addMessageOptions(command);
  addEmbedOptions(command);
  addDeliveryOptions(command);
  command.addHelpText("after", EXAMPLES)
    .action(async (argument: string | undefined, options: PostOptions) => {
      using stop = listenForStop();
      const { signal } = stop;
      checkOptions(options, argument);
      const env = await loadEnv();
      const address = findWebhook(options.webhook, env);
      const { seal, options: { data } } = session();
      if (seal.sandboxed) await keepOnlyHost(options.dryRun ? undefined : hostAndPort(address.origin));
      const threadId = threadOf(options, address);
      const posts = options.delete === undefined ? await preparePosts(argument, options, signal) : [];
      const [skip, timeoutMs] = [skipOf(options), timeoutOf(options)];
      if (skip > 0 && skip >= posts.length) {
        throw usage(`--skip-parts ${skip} leaves nothing: it is ${posts.length} in all`);
      }
      await carryOut(posts, { command, options, address, threadId, skip, timeoutMs, dataDir: data, signal });
    });
}

function addMessageOptions(command: Command): void {
  command.optionsGroup("Message:")
    .option("--file <path>", "post what a text file holds")
    .option("--embed", "put the text into an embed, a coloured box")
    .option("--username <name>", 'name that is shown (default: "Django")')
    .option("--avatar-url <url>", "picture that is shown")
    .option("--attach <path>", "send a file along; can be repeated", collect)
    .option("--ping <who>", "users, roles, everyone or an id: whom the text may notify; can be repeated", collect)
    .option("--thread-id <id>", "post into this thread")
    .option("--thread-name <name>", "begin a thread of this name, in a forum")
    .option("--tts", "have it read aloud")
    .option("--silent", "notify nobody's phone")
    .option("--suppress-embeds", "show no previews of links");
}

function addEmbedOptions(command: Command): void {
  command.optionsGroup("Embed:")
    .option("--title <text>", "title of the embed")
    .option("--description <text>", "its text, below another that is given beside it")
    .option("--url <url>", "where the title leads")
    .option("--color <color>", "#5865F2, 0x5865F2 or a name, like green (default: 0x5865F2)")
    .option("--author <name>", "line above the title")
    .option("--author-url <url>", "where it leads")
    .option("--author-icon <url>", "its picture; attachment://NAME shows a file of --attach, here and below")
    .option("--thumbnail <url>", "small picture at the side")
    .option("--field <name|value>", 'a field; "name|value|inline" puts it beside others; can be repeated', collect)
    .option("--image <url>", "large picture below")
    .option("--footer <text>", "small print")
    .option("--footer-icon <url>", "its picture")
    .option("--timestamp [when]", "a time in the small print, like 2026-01-31T12:00:00Z; without one, now");
}

function addDeliveryOptions(command: Command): void {
  command.optionsGroup("Delivery:")
    .option("--webhook <url|name>", "the webhook, or the variable of .env that holds it (default: DISCORD_WEBHOOK_URL)")
    .option("--json <path>", "a whole payload as JSON instead of text and options; - reads it from standard input")
    .option("--edit <id>", "change this message of the webhook")
    .option("--delete <id>", "delete this message of the webhook")
    .option("--skip-parts <count>", "leave out the first messages: they are there already")
    .option("--timeout <seconds>", "longest time for all of it (default: 120, and 3 more for each further message)")
    .option("--dry-run", "print the exact requests, the token hidden, and send nothing")
    .option("--json-output", "print what was done as JSON and nothing else");
}

const EXAMPLES = `
The ids of the messages go to standard output. Nobody is pinged without --ping.

Examples:
  django-agent post "The backup is done."
  django-agent post --file notes.md --embed --title "Update" --color green
  journalctl -p err --since today | django-agent post - --silent --thread-id 1234567890123456789`;

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function threadOf({ threadId, threadName }: PostOptions, address: WebhookAddress): string | undefined {
  const thread = threadId ?? address.threadId;
  if (thread === undefined) return undefined;
  requireId(thread, threadId === undefined ? "The thread_id of the webhook's address" : "--thread-id");
  if (threadName === undefined) return thread;
  throw usage("The webhook's address names a thread, and --thread-name begins another", "Leave one of them out.");
}

/**
 * What to post, complete.
 * @throws AgentError (exit 64, 65 or 77) before anything is sent, with every limit that it breaks
 */
async function preparePosts(argument: string | undefined, options: PostOptions, signal: AbortSignal): Promise<Post[]> {
  const text = await readText(argument, options, signal);
  const files = await readAttachments(options.attach ?? []);
  const { json, edit } = options;
  const posts = json === undefined
    ? composePosts(draftOf(options, text, files))
    : [{ message: await readPayload(json, signal), files }];
  if (edit !== undefined && posts.length > 1) {
    throw refused("Cannot edit a message into several", `It is too long for one: it would be ${posts.length}.`);
  }
  requireLimits(posts);
  if (posts.length > 0 && posts.every((post) => edit !== undefined || !showsNothing(post))) return posts;
  throw refused("There is nothing to post: no text, no embed, no file", "Give a text that shows something.");
}

function requireLimits(posts: readonly Post[]): void {
  const lines = posts.flatMap((post, index) => {
    const place = posts.length > 1 ? `message ${index + 1}, ` : "";
    return findProblems(post).map(({ field, message }) => `\n  ${place}${field}: ${message}`);
  });
  if (lines.length === 0) return;
  const shown = [...new Set(lines)].slice(0, 20).join("");
  throw refused(`Discord would refuse this:${shown}`, "Nothing has been sent. Correct what is named above.");
}

function refused(message: string, remedy: string): AgentError {
  return new AgentError(message, { exitCode: EXIT.data, remedy });
}
