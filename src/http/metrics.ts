import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { EventStreams } from "./event_stream.ts";
import type { Program } from "./program.ts";

/** What `/metrics` says. */
export interface Metrics extends Disposable {
  readonly contentType: string;
  /** The Prometheus text format. */
  render(): Promise<string>;
}

/** Seconds a model takes: from a small local one to a large one that has to be loaded. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const BREAKER_STATES = ["closed", "open", "half_open"] as const;

/** Counts what the router does from now on; everything else is looked up when it is asked for. */
export function createMetrics(program: Program, streams: EventStreams): Metrics {
  const registry = new Registry();
  const unwatch = watchActivity(program, registry);
  describeLanes(program, registry);
  new Gauge({
    name: "django_agent_event_readers",
    help: "Readers of the event stream",
    registers: [registry],
    collect() {
      this.set(streams.readers);
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Memory of the process",
    registers: [registry],
    collect() {
      this.set(Deno.memoryUsage().rss);
    },
  });
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    [Symbol.dispose]: unwatch,
  };
}

function watchActivity(program: Program, registry: Registry): () => void {
  const registers = [registry];
  const calls = new Counter({
    name: "django_agent_calls_total",
    help: "Calls by role and by how they ended",
    labelNames: ["role", "outcome"],
    registers,
  });
  const attempts = new Counter({
    name: "django_agent_attempts_total",
    help: "Attempts at a model by how they ended",
    labelNames: ["provider", "model", "outcome", "error_kind"],
    registers,
  });
  const tokens = new Counter({
    name: "django_agent_tokens_total",
    help: "Tokens by kind; cached ones are a part of the input, reasoning is a part of the output",
    labelNames: ["provider", "model", "kind"],
    registers,
  });
  const cost = new Counter({
    name: "django_agent_cost_usd_total",
    help: "Cost of the attempts whose price is known",
    labelNames: ["provider", "model"],
    registers,
  });
  const latency = createHistogram("django_agent_answer_seconds", "Time of an answer, first to last", registry);
  const first = createHistogram("django_agent_first_token_seconds", "Time to the first piece of an answer", registry);
  return program.watchActivity({
    onCall: ({ role, outcome }) => calls.inc({ role, outcome }),
    onAttempt: (row) => {
      const { provider, model, outcome, error_kind, cost_usd } = row;
      attempts.inc({ provider, model, outcome, error_kind: error_kind ?? "" });
      tokens.inc({ provider, model, kind: "input" }, row.input_tokens);
      tokens.inc({ provider, model, kind: "cached_input" }, row.cached_input_tokens);
      tokens.inc({ provider, model, kind: "output" }, row.output_tokens);
      tokens.inc({ provider, model, kind: "reasoning" }, row.reasoning_tokens);
      if (cost_usd !== null) cost.inc({ provider, model }, cost_usd);
      if (outcome !== "ok") return;
      latency.observe({ provider, model }, row.latency_ms / 1000);
      if (row.first_token_ms !== null) first.observe({ provider, model }, row.first_token_ms / 1000);
    },
  });
}

function createHistogram(name: string, help: string, registry: Registry): Histogram<"provider" | "model"> {
  return new Histogram({ name, help, labelNames: ["provider", "model"], buckets: SECONDS, registers: [registry] });
}

function describeLanes({ router }: Program, registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "django_agent_breaker_state",
    help: "1 for the state the breaker of a provider is in",
    labelNames: ["provider", "state"],
    registers,
    collect() {
      this.reset();
      for (const [provider, { breaker }] of Object.entries(router.lanes)) {
        for (const state of BREAKER_STATES) this.set({ provider, state }, Number(state === breaker));
      }
    },
  });
  for (
    const [name, help, field] of [
      ["django_agent_queue_depth", "Calls that wait for their turn at a provider", "waiting"],
      ["django_agent_in_flight", "Attempts that run at a provider", "in_flight"],
    ] as const
  ) {
    new Gauge({
      name,
      help,
      labelNames: ["provider"],
      registers,
      collect() {
        this.reset();
        for (const [provider, lane] of Object.entries(router.lanes)) this.set({ provider }, lane[field]);
      },
    });
  }
}
