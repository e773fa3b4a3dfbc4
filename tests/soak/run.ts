/** One soak: chatter and requests side by side, in equal slices, with a look at the program after each. */
import { sampleVitals, type Vitals } from "../support/vitals.ts";
import { Chatter } from "./chatter.ts";
import { unlessAborted } from "../support/task.ts";
import { type Answers, Clients } from "./clients.ts";
import type { Replies } from "./replies.ts";
import { type SoakWorld, startSoakWorld, type UsageCount } from "./world.ts";

export interface SoakOptions {
  /** On Discord, in all. */
  readonly messages: number;
  /** Through `/v1`, in all. */
  readonly requests: number;
  /** Ends everything. */
  readonly signal: AbortSignal;
  readonly onSample?: (sample: SoakSample) => void;
}

/** A look at the program: memory after a slice, when all is answered; descriptors in the midst of it. */
export interface SoakSample extends Vitals {
  readonly messages: number;
  readonly requests: number;
  readonly seconds: number;
}

export interface SoakResult {
  readonly messages: number;
  readonly requests: number;
  readonly seconds: number;
  readonly samples: readonly SoakSample[];
  /** Before anything is asked of it, connected to Discord. */
  readonly atStart: Vitals;
  /** After everything, its clients and models gone. */
  readonly atRest: Vitals;
  readonly replies: Replies;
  readonly answers: Answers;
  /** How often the fake models were asked, by name. */
  readonly asked: Readonly<Record<string, number>>;
  readonly usage: readonly UsageCount[];
  /** Of the program, asked to end. */
  readonly exitCode: number;
}

const SLICES = 40;
/** How long connections have to end by themselves. */
const REST_MS = 30_000;

/** @throws Error when the program ends too early, hangs, or cannot be looked at; the reason of the signal */
export async function runSoak({ signal, ...work }: SoakOptions): Promise<SoakResult> {
  return await unlessAborted(signal, async (aborted) => {
    await using world = await startSoakWorld(aborted);
    return await Promise.race([soak(world, work), world.failed, aborted]);
  });
}

type Work = Omit<SoakOptions, "signal">;

async function soak(world: SoakWorld, work: Work): Promise<SoakResult> {
  const startedAt = performance.now();
  const atStart = await look(world);
  const chatter = new Chatter(world.discord);
  const clients = new Clients(world.origin);
  let samples: SoakSample[];
  {
    using _closing = clients;
    samples = await workInSlices(world, { ...work, chatter, clients });
  }
  const asked = await world.asked();
  await world.stopModels();
  world.discord.hangUpIdle();
  const atRest = await lookAtRest(world, atStart);
  const exitCode = await world.stopProgram();
  return {
    messages: work.messages,
    requests: work.requests,
    seconds: (performance.now() - startedAt) / 1000,
    samples,
    atStart,
    atRest,
    replies: chatter.replies,
    answers: clients.answers,
    asked,
    usage: world.usage(),
    exitCode,
  };
}

interface Sources extends Work {
  readonly chatter: Chatter;
  readonly clients: Clients;
}

async function workInSlices(
  world: SoakWorld,
  { messages, requests, onSample, chatter, clients }: Sources,
): Promise<SoakSample[]> {
  const samples: SoakSample[] = [];
  const startedAt = performance.now();
  let done = { messages: 0, requests: 0 };
  for (let slice = 1; slice <= SLICES; slice++) {
    const upTo = {
      messages: Math.round(messages * slice / SLICES),
      requests: Math.round(requests * slice / SLICES),
    };
    const work = [chatter.say(upTo.messages - done.messages), clients.ask(upTo.requests - done.requests)];
    done = upTo;
    await Promise.race(work);
    const { descriptors, sockets } = await look(world);
    await Promise.all(work);
    const seconds = (performance.now() - startedAt) / 1000;
    const sample = { ...await look(world), descriptors, sockets, ...done, seconds };
    samples.push(sample);
    onSample?.(sample);
  }
  return samples;
}

async function look({ pid }: SoakWorld): Promise<Vitals> {
  const vitals = await sampleVitals(pid);
  if (!vitals) throw new Error("The program cannot be looked at: it has ended, or this system has no /proc");
  return vitals;
}

/** Connections end a moment after whoever was at their other end has gone. */
async function lookAtRest(world: SoakWorld, atStart: Vitals): Promise<Vitals> {
  const patientUntil = performance.now() + REST_MS;
  for (;;) {
    const vitals = await look(world);
    if (vitals.sockets <= atStart.sockets || performance.now() > patientUntil) return vitals;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
