import { AgentError, describeFault, EXIT } from "../core/errors.ts";
import { printable } from "../core/format.ts";
import { findDocuments, MAX_DOCUMENT_BYTES, plainName, readDocument, type Unreadable } from "../memory/documents.ts";
import { type Document, type Learned, nameOfNote } from "../memory/learn.ts";
import type { Memory } from "../memory/memory.ts";
import { createCommand, flag, option } from "./command.ts";
import { tell, writeJson } from "./output.ts";
import { Progress } from "./progress.ts";
import { ResultError } from "./result_error.ts";
import { readStdin } from "./stdin.ts";
import { listenForStop } from "./stop.ts";

/** Texts that are given vectors at once: nobody waits for an answer here. */
const BATCH = 16;

interface LearnOptions {
  readonly source?: string;
  readonly vectors: boolean;
  readonly json?: true;
}

interface Report {
  readonly learned: Learned[];
  readonly refused: Unreadable[];
}

/** `learn`: teaches the agent what stands in files. */
export const learn = createCommand<LearnOptions>({
  brief: "Teach it Markdown and text files, whole folders of them, or standard input",
  takes: [{ label: "<path...>", brief: "files and folders; - reads one text from standard input" }],
  options: {
    source: option("<name>", "what the text from standard input is called; one of that name is replaced"),
    "no-vectors": flag("do not ask the embeddings model; `serve` does later"),
    json: flag("print what was learned as JSON and nothing else"),
  },
  notes: "What has not changed is not learned twice; what was interrupted goes on where it was. A file that is gone\n" +
    "stays known until it is forgotten: django-agent memory forget --source notes/garden.md",
  examples: ["django-agent learn notes/ README.md", "pdftotext manual.pdf - | django-agent learn - --source boiler"],
  async run(session, options, paths) {
    checkSource(paths, options.source);
    await using agent = await session.open({ patient: true });
    using stop = listenForStop();
    const report: Report = { learned: [], refused: [] };
    try {
      for (const path of paths) await learnPath(agent.memory, path, { ...options, ...stop, report });
      if (options.vectors) await giveVectors(agent.memory, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      throw new AgentError("Stopped; what has been learned so far is kept", {
        exitCode: EXIT.interrupted,
        remedy: "Run the same again: it goes on where it was.",
      });
    }
    conclude(report, options);
  },
});

interface Run extends LearnOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

async function learnPath(memory: Memory, path: string, run: Run): Promise<void> {
  if (path === "-") {
    const document = await readNote(run);
    return "problem" in document ? refuse(document, run.report) : await learnOne(memory, document, run);
  }
  let found = 0;
  for await (const file of findDocuments(path)) {
    run.signal.throwIfAborted();
    found++;
    const document = "problem" in file ? file : await readDocument(file.path);
    if ("problem" in document) refuse(document, run.report);
    else await learnOne(memory, document, run);
  }
  if (found === 0) {
    const remedy = "Files whose name ends in .md, .markdown or .txt are learned.";
    refuse({ path, problem: "There is nothing to learn in this folder", remedy }, run.report);
  }
}

async function readNote({ source, signal }: Run): Promise<Document | Unreadable> {
  try {
    const text = (await readStdin("The text", MAX_DOCUMENT_BYTES, signal)).replaceAll("\0", "");
    return { name: source === undefined ? nameOfNote(text) : plainName(source), text, atMs: Date.now() };
  } catch (error) {
    if (!(error instanceof AgentError) || error.exitCode !== EXIT.data) throw error;
    return { path: "-", problem: error.message, remedy: error.remedy ?? "" };
  }
}

async function learnOne(memory: Memory, document: Document, { signal, report }: Run): Promise<void> {
  using progress = new Progress();
  const name = printable(document.name);
  const onProgress = (share: number) => progress.show(`${Math.floor(share * 100)} %  ${name}`);
  const learned = await memory.learn(document, { signal, onProgress });
  report.learned.push(learned);
  progress.clear();
  tell(`${learned.outcome.padEnd(9)}  ${name}${detailOf(learned)}`);
}

function detailOf({ outcome, passages, added }: Learned): string {
  if (outcome === "unchanged") return "";
  return `, ${passages === 1 ? "1 passage" : `${passages} passages`}${
    added === passages ? "" : `, ${added} of them new`
  }`;
}

function refuse(problem: Unreadable, report: Report): void {
  report.refused.push(problem);
  tell(printable(`refused    ${problem.path}: ${problem.problem} → ${problem.remedy}`));
}

/** Without vectors everything works, by words alone. */
async function giveVectors(memory: Memory, signal: AbortSignal): Promise<void> {
  using progress = new Progress();
  const onProgress = (count: number) => progress.show(`${count} vectors`);
  try {
    const count = await memory.vectors.complete({ batch: BATCH, priority: "background", signal, onProgress });
    progress.clear();
    if (count > 0) tell(`vectors    ${count}`);
  } catch (error) {
    if (signal.aborted) throw error;
    progress.clear();
    const reason = error instanceof AgentError ? error.message : describeFault(error);
    tell(`note: without vectors for now: ${reason}`);
    tell("→ It is found by its words; `serve` or the next `learn` adds the vectors once the model answers.");
  }
}

function checkSource(paths: readonly string[], source: string | undefined): void {
  if (source === undefined) return;
  if (plainName(source) === "") {
    throw new AgentError("--source names nothing", { exitCode: EXIT.usage, remedy: "Give a name, like boiler." });
  }
  if (paths.includes("-")) return;
  throw new AgentError("--source names the text from standard input, and none is read", {
    exitCode: EXIT.usage,
    remedy: "Add - to read it, or leave --source out: files are called by their path.",
  });
}

function conclude({ learned, refused }: Report, { json }: LearnOptions): void {
  if (json) {
    writeJson({
      learned: learned.map(({ added_ids: _, ...each }) => each),
      refused: refused.map(({ path, problem, remedy }) => ({ path, problem, remedy })),
    });
  }
  if (refused.length === 0) return;
  const count = refused.length === 1 ? "One path was" : `${refused.length} paths were`;
  throw new ResultError(`${count} refused`, {
    exitCode: EXIT.data,
    remedy: "See above for each; whatever else was named has been learned.",
  });
}
