import { loadEnv } from "../config/env.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { hostAndPort } from "../core/address.ts";
import { composePosts, withSafeNames } from "../discord/compose.ts";
import { findPictureProblems, findProblems, showsNothing } from "../discord/limits.ts";
import type { Post } from "../discord/message.ts";
import type { WebhookAddress } from "../discord/webhook_url.ts";
import { keepOnlyHost } from "../privacy/egress.ts";
import { createCommand, flag, list, openOption, option } from "./command.ts";
import { readAttachments, readPayload, readText, sourceOfText } from "./post_input.ts";
import { checkOptions, draftOf, type PostOptions, skipOf, timeoutOf } from "./post_options.ts";
import { carryOut } from "./post_run.ts";
import { findWebhook, requireReachable } from "./post_target.ts";
import { usageError } from "./usage_error.ts";
import { listenForStop } from "./stop.ts";

/** `post`: a message, or several, through a Discord webhook. */
export const post = createCommand<PostOptions>({
  brief: "Post to a Discord channel through a webhook; long texts become several messages",
  takes: [{ label: "[text]", brief: "what to post; - reads it from standard input" }],
  headings: { file: "Message", title: "Embed", webhook: "Delivery" },
  options: {
    file: option("<path>", "post what a text file holds"),
    embed: flag("put the text into an embed, a coloured box"),
    username: option("<name>", 'name that is shown (default: "Django")'),
    "avatar-url": option("<url>", "picture that is shown"),
    attach: list("<path>", "send a file along; can be repeated"),
    ping: list("<who>", "users, roles, everyone or an id: whom the text may notify; can be repeated"),
    "thread-id": option("<id>", "post into this thread"),
    "thread-name": option("<name>", "begin a thread of this name, in a forum"),
    tts: flag("have it read aloud"),
    silent: flag("notify nobody's phone"),
    "suppress-embeds": flag("show no previews of links"),
    title: option("<text>", "title of the embed"),
    description: option("<text>", "its text, below another that is given beside it"),
    url: option("<url>", "where the title leads"),
    color: option("<color>", "#5865F2, 0x5865F2 or a name, like green (default: 0x5865F2)"),
    author: option("<name>", "line above the title"),
    "author-url": option("<url>", "where it leads"),
    "author-icon": option("<url>", "its picture; attachment://NAME shows a file of --attach, here and below"),
    thumbnail: option("<url>", "small picture at the side"),
    field: list("<name|value>", 'a field; "name|value|inline" puts it beside others; can be repeated'),
    image: option("<url>", "large picture below"),
    footer: option("<text>", "small print"),
    "footer-icon": option("<url>", "its picture"),
    timestamp: openOption(
      "[when]",
      "a time in the small print, like 2026-01-31T12:00 here or 2026-01-31T12:00Z; without one, now",
    ),
    webhook: option("<url|name>", "the webhook, or the variable of .env that holds it (default: DISCORD_WEBHOOK_URL)"),
    json: option("<path>", "a whole payload as JSON instead of text and options; - reads it from standard input"),
    edit: option("<id>", "change this message of the webhook"),
    delete: option("<id>", "delete this message of the webhook"),
    "skip-parts": option("<count>", "leave out the first messages: they are there already"),
    timeout: option("<seconds>", "longest time for all of it (default: 120, and 3 more for each further message)"),
    "dry-run": flag("print the exact requests, the token hidden, and send nothing"),
    "json-output": flag("print what was done as JSON and nothing else"),
  },
  notes:
    "The ids of the messages go to standard output. Nobody is pinged without --ping. Standard input is read for -,\n" +
    "or when nothing else says what to post.",
  examples: [
    'django-agent post "The backup is done."',
    'django-agent post --file notes.md --embed --title "Update" --color green',
    "journalctl -p err --since today | django-agent post - --silent --thread-id 1234567890123456789",
  ],
  async run({ seal, options: { data } }, options, [argument]) {
    using stop = listenForStop();
    const { signal } = stop;
    checkOptions(options, argument);
    const env = await loadEnv();
    const address = findWebhook(options.webhook, env);
    if (seal.sandboxed) await keepOnlyHost(options.dryRun ? undefined : hostAndPort(address.origin));
    if (!options.dryRun) requireReachable(address);
    const [skip, timeoutMs] = [skipOf(options), timeoutOf(options)];
    const posts = options.delete === undefined ? await preparePosts(argument, options, signal) : [];
    const threadId = threadOf(options, address, posts);
    if (skip > 0 && skip >= posts.length) {
      throw usageError(`--skip-parts ${skip} leaves nothing: it is ${posts.length} in all`);
    }
    const textSource = sourceOfText(argument, options);
    await carryOut(posts, { textSource, options, address, threadId, skip, timeoutMs, dataDir: data, signal });
  },
});

/** @throws AgentError (exit 64) when the posts begin another thread */
function threadOf(options: PostOptions, address: WebhookAddress, [first]: readonly Post[]): string | undefined {
  const thread = options.threadId ?? address.threadId;
  if (thread === undefined || typeof first?.message.thread_name !== "string") return thread;
  const where = options.threadId === undefined ? "The webhook's address" : "--thread-id";
  throw usageError(`${where} names a thread, and the message would begin another`, "Leave one of them out.");
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
    throw refused("Cannot edit a message into several", `It would take ${posts.length}: shorten it, or post anew.`);
  }
  requireLimits(posts, { isEdit: edit !== undefined });
  if (posts.length > 0 && posts.every((post) => edit !== undefined || !showsNothing(post))) {
    return posts.map(withSafeNames);
  }
  throw refused("There is nothing to post: no text, no embed, no file", "Give a text that shows something.");
}

function requireLimits(posts: readonly Post[], { isEdit }: { readonly isEdit: boolean }): void {
  const lines = posts.flatMap((post, index) => {
    const place = posts.length > 1 ? `message ${index + 1}, ` : "";
    // An edit may show files that are there already.
    const problems = [...findProblems(post), ...(isEdit ? [] : findPictureProblems(post))];
    return problems.map(({ field, message }) => `\n  ${place}${field}: ${message}`);
  });
  if (lines.length === 0) return;
  const shown = [...new Set(lines)].slice(0, 20).join("");
  throw refused(`Discord would refuse this:${shown}`, "Nothing has been sent. Correct what is named above.");
}

function refused(message: string, remedy: string): AgentError {
  return new AgentError(message, { exitCode: EXIT.data, remedy });
}
