import assert from "node:assert/strict";
import { projectPath } from "../support/paths.ts";
import { CATALOGUE } from "./catalogue.ts";
import { OUTAGES, runOutage, skippingClock } from "./outage.ts";
import { nameOf, renderReport } from "./report.ts";
import { FAST, PROTOCOLS, type Scenario } from "./scenario.ts";
import { type Evidence, judge, runTrial } from "./trial.ts";
import { WAYS } from "./ways.ts";
import { ANSWERS, provideKeys } from "./world.ts";

for (const scenario of CATALOGUE) {
  for (const protocol of scenario.protocols ?? PROTOCOLS) {
    Deno.test(`every way of asking survives: ${scenario.name} (${protocol})`, async () => {
      using _keys = provideKeys();
      const verdicts = await Promise.all(WAYS.map((way) => runTrial({ scenario, protocol, way, timings: FAST })));
      assert.deepEqual(verdicts.map(({ complaints }) => complaints), WAYS.map(() => []));
    });
  }
}

for (const kind of OUTAGES) {
  for (const protocol of PROTOCOLS) {
    Deno.test(`every way of asking survives: ${nameOf({ kind })} (${protocol})`, async () => {
      using _keys = provideKeys();
      using clock = skippingClock(); // it may not jump while somebody else is measured by it: one after the other
      for (const way of WAYS) {
        const { complaints } = await runOutage({ kind, protocol, way }, FAST, clock);
        assert.deepEqual(complaints, [], way.name);
      }
    });
  }
}

const [GENERATE = assert.fail()] = WAYS;
const [STREAM = assert.fail()] = WAYS.filter(({ streamed }) => streamed);
const CHAT = { model: "m", body: {}, headers: new Headers(), atMs: 0 };
const FINE: Evidence = {
  outcomes: [{ by: "fallback", text: ANSWERS.fallback.tokens.join(""), words: "" }],
  primary: [CHAT],
  fallback: [CHAT],
  free: { primary: true, fallback: false },
  rows: [],
  words: "",
};
const ROW = {
  provider: "fallback",
  outcome: "ok",
  source: "provider",
  input_tokens: ANSWERS.fallback.usage.input,
  output_tokens: ANSWERS.fallback.usage.output,
  cost_usd: 0.002244,
} as Evidence["rows"][number];

function scenarioNamed(name: string): Scenario {
  return CATALOGUE.find((scenario) => scenario.name === name) ?? assert.fail(`there is no ${name}`);
}

Deno.test("judge() finds whatever is not as it should be", () => {
  const scenario = scenarioNamed("cut");
  const complaints = (evidence: Partial<Evidence>, way = GENERATE) =>
    judge({ scenario, way }, { ...FINE, rows: [ROW], ...evidence }).join("\n");
  assert.equal(complaints({}), "");
  assert.match(complaints({ outcomes: [{ by: "primary", text: "Hola", words: "" }] }), /instead of the fallback's/);
  assert.match(complaints({ outcomes: [{ by: "fallback", text: "Hola, la reserva.", words: "" }] }), /instead of/);
  assert.match(complaints({ primary: [CHAT, CHAT] }), /the primary saw 2 requests instead of 1/);
  assert.match(complaints({ fallback: [] }), /the fallback saw 0 requests instead of 1/);
  assert.match(complaints({ rows: [] }), /billed: nobody/);
  assert.match(complaints({ rows: [{ ...ROW, provider: "primary" }] }), /billed: primary/);
  assert.match(complaints({ rows: [ROW, ROW] }), /billed: fallback,fallback/);
  assert.match(complaints({ rows: [{ ...ROW, output_tokens: 23 }] }), /booked: 2200 \+ 23 tokens/);
  assert.match(complaints({ rows: [{ ...ROW, input_tokens: 1 }] }), /booked: 1 \+ 22 tokens/);
  for (const cost_usd of [0, 1, null]) {
    assert.match(complaints({ rows: [{ ...ROW, cost_usd }] }), new RegExp(`booked: .* ${cost_usd} USD`));
  }
  assert.match(complaints({ words: "…SECRET-CONTENT…" }), /was shown/);
  const told = { text: "Hola", reason: "protocol", words: "" };
  const streamed = { fallback: [], rows: [] };
  assert.equal(complaints({ outcomes: [told], ...streamed }, STREAM), "");
  assert.match(complaints({ outcomes: [{ ...told, reason: "timeout" }], ...streamed }, STREAM), /instead of protocol/);
  assert.match(complaints({ outcomes: [{ text: "Hola", words: "" }], ...streamed }, STREAM), /instead of protocol/);
});

Deno.test("renderReport() joins ways with the same outcome, and shows what failed", () => {
  const same = { scenario: "cut", protocol: "groq", got: "a part", primarySaw: "1", fallbackSaw: "0", complaints: [] };
  const results = WAYS.map(({ name }) => ({ ...same, way: name }));
  const lines = (report: string) => report.trimEnd().split("\n").slice(1).map((line) => line.split(/ {2,}/));
  assert.deepEqual(lines(renderReport(results)), [["cut", "groq", "all", "a part", "1", "0", "ok"]]);
  const odd = results.map((each, at) => at === 0 ? { ...each, complaints: ["it hangs"] } : each);
  assert.deepEqual(lines(renderReport(odd)).map((cells) => cells.at(-1)), ["FAILED: it hangs", "ok"]);
});

Deno.test("deno task faults refuses an option it does not know", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "faults", "--fulll"],
    cwd: projectPath("."),
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 64);
  assert.match(new TextDecoder().decode(stderr), /^error: unknown option '--fulll' → Add --help/);
});
