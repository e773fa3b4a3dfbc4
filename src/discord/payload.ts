import { z } from "zod";
import { readJsonText } from "../config/json_text.ts";
import { formatPath } from "../config/words.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { MENTION_KINDS, NO_MENTIONS, type WebhookMessage } from "./message.ts";

const MOST_PROBLEMS = 20;
const text = z.string();
const optionalText = text.nullish();
const id = z.string().regex(/^\d{1,20}$/, "an id, as a text of digits");
const media = z.strictObject({ url: text }).nullish();

const embed = z.strictObject({
  title: optionalText,
  type: z.literal("rich").optional(),
  description: optionalText,
  url: optionalText,
  timestamp: z.iso.datetime({ offset: true, message: "a time like 2026-01-31T12:00:00Z" }).nullish(),
  color: z.int().min(0).max(0xffffff).nullish(),
  footer: z.strictObject({ text, icon_url: optionalText }).nullish(),
  image: media,
  thumbnail: media,
  author: z.strictObject({ name: text, url: optionalText, icon_url: optionalText }).nullish(),
  fields: z.array(z.strictObject({ name: text, value: text, inline: z.boolean().optional() })).nullish(),
});

const poll = z.strictObject({
  question: z.strictObject({ text }),
  answers: z.array(
    z.strictObject({ poll_media: z.strictObject({ text: text.optional(), emoji: z.object({}).optional() }) }),
  ),
  duration: z.int().min(1).optional(),
  allow_multiselect: z.boolean().optional(),
  layout_type: z.int().optional(),
});

/** What a webhook takes, but for components, which are for applications; as far as it can be checked here. Source: Discord's API documentation, "Execute Webhook". */
const payload = z.strictObject({
  content: optionalText,
  username: optionalText,
  avatar_url: optionalText,
  tts: z.boolean().nullish(),
  embeds: z.array(embed).nullish(),
  allowed_mentions: z.strictObject({
    parse: z.array(z.enum(MENTION_KINDS)).optional(),
    users: z.array(id).optional(),
    roles: z.array(id).optional(),
    replied_user: z.boolean().optional(),
  }).nullish(),
  flags: z.int().min(0).nullish(),
  poll: poll.nullish(),
  thread_name: optionalText,
  applied_tags: z.array(id).optional(),
  attachments: z.array(
    z.strictObject({ id: z.union([z.int(), id]), filename: optionalText, description: optionalText }),
  )
    .optional(),
});

/**
 * Reads a whole payload; it pings nobody unless it says so itself.
 * @throws AgentError (exit 65) with the place of everything wrong, never with what stands there
 */
export function parsePayload(json: string): WebhookMessage {
  const parsed = payload.safeParse(read(json));
  if (!parsed.success) throw refused(parsed.error.issues.flatMap(describe));
  return { ...parsed.data, allowed_mentions: parsed.data.allowed_mentions ?? NO_MENTIONS } as WebhookMessage;
}

function read(json: string): unknown {
  const { value, problems } = readJsonText(json);
  if (problems.length > 0) throw refused(problems.map(({ path, message }) => `${path || "The payload"}: ${message}`));
  return value;
}

function describe(issue: z.core.$ZodIssue): string[] {
  const path = formatPath(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${formatPath([...issue.path, key])}: This field is not known here`);
  }
  return [`${path || "The payload"}: ${wanted(issue)}`];
}

function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `It must be ${issue.expected === "int" ? "a whole number" : `of type ${issue.expected}`}`;
    case "invalid_format":
      return `It must be ${issue.message}`;
    case "invalid_value":
      return `It must be one of ${issue.values.join(", ")}`;
    case "too_big":
      return `It must be ${issue.maximum} at most`;
    case "too_small":
      return `It must be ${issue.minimum} at least`;
    default:
      return "It is malformed";
  }
}

function refused(problems: readonly string[]): AgentError {
  const lines = problems.slice(0, MOST_PROBLEMS).map((problem) => `\n  ${problem}`);
  return new AgentError(`Cannot use the payload:${lines.join("")}`, {
    exitCode: EXIT.data,
    remedy: "Correct what is named above. All fields of Discord's Execute Webhook are known here, but for components.",
  });
}
