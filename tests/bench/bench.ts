/**
 * `deno task bench`: what the program costs, measured on this machine in this run. Prints a table and the same
 * figures as one line of JSON. The exit code does not judge them.
 */
import { benchBot } from "./bot_bench.ts";
import { renderTable } from "./measure.ts";
import { benchMemory } from "./memory_bench.ts";
import { benchPage } from "./page_bench.ts";
import { benchPost } from "./post_bench.ts";
import { benchRouter, createFastRouter } from "./router_bench.ts";
import { startScript } from "./script.ts";
import { benchServe } from "./serve_bench.ts";
import { benchStartUp } from "./startup_bench.ts";
import { benchUsage } from "./usage_bench.ts";

await using server = await startScript("fast_ollama.ts");
const { origin } = server;
const figures = [
  ...await benchRouter(origin),
  ...await benchUsage((book) => createFastRouter(origin, book)),
  ...await benchMemory(),
  ...await benchStartUp(origin),
  ...await benchPost(),
  ...await benchServe(origin),
  ...await benchBot(),
  ...await benchPage(),
];
const report = { machine: machine(), at: new Date().toISOString(), figures };
console.log(`${report.machine}\n\n${renderTable(figures)}\n`);
console.log(JSON.stringify(report));

function machine(): string {
  const { deno, v8 } = Deno.version;
  return `${navigator.hardwareConcurrency} processors, ${Deno.build.target}, Deno ${deno}, V8 ${v8}`;
}
