import { basename, dirname, join } from "node:path";
import { EXIT } from "../core/errors.ts";
import { formatBytes, printable } from "../core/format.ts";
import { nameOf } from "../memory/documents.ts";
import { describeHit, type Hit, MOST_RESULTS, realmsFor, relevanceOf } from "../memory/search.ts";
import type { Forgettable, Forgotten, Source } from "../storage/memory.ts";
import { createCommand, flag, type Group, option } from "./command.ts";
import { paint, table, tell, writeJson, writeOut } from "./output.ts";
import { ResultError } from "./result_error.ts";
import { listenForStop } from "./stop.ts";
import { usageError } from "./usage_error.ts";

const DEFAULT_LIMIT = 5;
/** Conversations that are listed, the latest first. */
const MOST_CONVERSATIONS = 100;

interface SearchOptions {
  readonly conversation?: string;
  readonly limit: number;
  readonly json?: true;
}

const search = createCommand<SearchOptions>({
  brief: "Show the passages that fit best",
  takes: [{ label: "<query>", brief: "a question or some words" }],
  options: {
    conversation: option("<id>", "look through the exchanges of this conversation too"),
    limit: option("<count>", "how many at most", { parse: parseLimit, fallback: DEFAULT_LIMIT }),
    json: flag("print the passages as JSON and nothing else"),
  },
  examples: ['django-agent memory search "boiler pressure" --limit 3'],
  async run(session, { conversation, limit, json }, [query = ""]) {
    await using agent = await session.open({ patient: true });
    using stop = listenForStop();
    const hits = await agent.memory.search({ text: query, realms: realmsFor(conversation), limit }, stop.signal);
    if (json) writeJson(hits.map(describeHit));
    else if (hits.length === 0) writeOut("Nothing is remembered about that.\n");
    else writeOut(hits.map(render).join("\n"));
  },
});

function render(hit: Hit): string {
  const { id, source, heading, text } = hit.passage;
  const title = [source, heading].filter((part) => part !== "").join(" · ");
  const remark = relevanceOf(hit) === "relevant" ? "" : "  (may have to do with it)";
  return `${paint.bold(printable(`#${id}  ${title}`))}${remark}\n${printable(text)}\n`;
}

const list = createCommand<{ readonly json?: true }>({
  brief: "Show what was learned, and how much is remembered",
  options: { json: flag("print it as JSON and nothing else") },
  examples: ["django-agent memory list"],
  async run(session, { json }) {
    await using agent = await session.open({ patient: true });
    const sources = agent.memory.sources();
    const stats = agent.memory.stats();
    const conversations = agent.memory.conversations(MOST_CONVERSATIONS).map(({ last_ms, ...each }) => ({
      ...each,
      last_at: new Date(last_ms).toISOString(),
    }));
    if (json) {
      const shown = sources.map(({ name, hash }) => ({ name, complete: hash !== null }));
      return writeJson({ ...stats, sources: shown, conversations });
    }
    const rows = sources.map(({ name, hash }) => [printable(name), hash === null ? "interrupted" : "learned"]);
    if (rows.length > 0) writeOut(`${table([["source", "state"], ...rows])}\n`);
    const held = conversations.map((each) => [printable(each.id), String(each.exchanges), each.last_at]);
    if (held.length > 0) writeOut(`${table([["conversation", "exchanges", "last"], ...held], { from: 1, to: 1 })}\n`);
    const { learned_passages, episodes, vectors, file_bytes } = stats;
    const amounts = [
      count(learned_passages, "learned passage"),
      count(episodes, "exchange"),
      count(vectors, "vector"),
    ];
    writeOut(`${amounts.join(", ")}; ${formatBytes(file_bytes)}\n`);
  },
});

interface ForgetOptions {
  readonly conversation?: string;
  readonly user?: string;
  readonly source?: string;
  readonly all?: true;
  readonly yes?: true;
  readonly json?: true;
}

const forget = createCommand<ForgetOptions>({
  brief: "Delete for good: text, index, vectors, and the bytes they were made of",
  options: {
    conversation: option("<id>", "every exchange of this conversation"),
    user: option("<id>", "every exchange with this person"),
    source: option("<name>", "what was learned from this source; `memory list` names them"),
    all: flag("everything; needs --yes"),
    yes: flag("really everything"),
    json: flag("print how much it was as JSON and nothing else"),
  },
  examples: ["django-agent memory forget --conversation terminal"],
  async run(session, options) {
    const what = forgettableOf(options);
    const agent = await session.open({ patient: true }); // not `using`: see src/README.md, decisions
    try {
      const forgotten = await agent.memory.forget(withKnownName(agent.memory.sources(), what));
      report(forgotten, await findCopies(agent.memory.path), options);
      if (!("source" in what)) return;
      if (forgotten.sources === 0) throw unknownSource(what.source);
      if (agent.memory.stats().episodes > 0) {
        tell("note: exchanges in which it may be quoted are kept; `memory list` names the conversations");
      }
    } finally {
      await agent[Symbol.asyncDispose]();
    }
  },
});

/** `memory`: looking at what is remembered, and forgetting it. */
export const memory: Group = {
  brief: "Search what it remembers, list it, forget it",
  commands: { search, list, forget },
  examples: [
    'django-agent memory search "when are the tomatoes watered"',
    "django-agent memory forget --source notes/garden.md",
  ],
};

/** A path may be written in several ways; files are known by one of them. */
function withKnownName(sources: readonly Source[], what: Forgettable): Forgettable {
  if (!("source" in what) || sources.some(({ name }) => name === what.source)) return what;
  return { source: nameOf(what.source) };
}

function unknownSource(name: string): ResultError {
  return new ResultError(`Nothing was learned from ${name}`, {
    exitCode: EXIT.data,
    remedy: "`memory list` names everything that was learned.",
  });
}

function report(forgotten: Forgotten, copies: readonly string[], { json }: ForgetOptions): void {
  if (json) writeJson({ ...forgotten, copies });
  else writeOut(`forgotten: ${count(forgotten.passages, "passage")}, ${count(forgotten.sources, "source")}\n`);
  if (!forgotten.erased) {
    tell("note: another program was reading, so old bytes still lie in the database's files");
    tell("→ Run the same again, or stop that program: they go as soon as nobody reads.");
  }
  for (const copy of copies) {
    tell(`note: ${copy} is an older copy and may still hold it; delete it if you do not need it`);
  }
}

/** Databases that were set aside or copied before an upgrade. */
async function findCopies(path: string): Promise<string[]> {
  const [folder, name] = [dirname(path), basename(path)];
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  return entries.map((entry) => entry.name)
    .filter((each) => each.startsWith(`${name}.damaged-`) || each.startsWith(`${name}.before-`))
    .map((each) => join(folder, each)).toSorted();
}

/** Exactly one of the choices. */
function forgettableOf({ conversation, user, source, all, yes }: ForgetOptions): Forgettable {
  const choices: Forgettable[] = [
    ...(conversation === undefined ? [] : [{ conversation_id: conversation }]),
    ...(user === undefined ? [] : [{ user_id: user }]),
    ...(source === undefined ? [] : [{ source }]),
    ...(all ? [{ all }] : []),
  ];
  const [what, more] = choices;
  if (!what || more) {
    throw usageError("It is not clear what to forget", "Give exactly one of --conversation, --user, --source, --all.");
  }
  if ("all" in what && !yes) throw usageError("This would delete everything it remembers", "Add --yes if you mean it.");
  return what;
}

function count(number: number, word: string): string {
  return number === 1 ? `1 ${word}` : `${number.toLocaleString("en")} ${word}s`;
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > MOST_RESULTS) {
    throw new RangeError(`It must be a whole number from 1 to ${MOST_RESULTS}.`);
  }
  return limit;
}
