/**
 * `deno task bench`: what the program costs, measured on this machine in this run. Prints a table and the same
 * figures as one line of JSON. The exit code does not judge them.
 */
import { type Figure, renderTable } from "./measure.ts";
import { benchRouter, createFastRouter } from "./router_bench.ts";
import { benchServe } from "./serve_bench.ts";
import { benchStartUp } from "./startup_bench.ts";
import { benchUsage } from "./usage_bench.ts";

const server = new Deno.Command(Deno.execPath(), {
  args: ["run", "-q", "-A", "--cached-only", new URL("./fast_ollama.ts", import.meta.url).pathname],
  stdout: "piped",
}).spawn();
try {
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: port } = await lines.read();
  const origin = `http://127.0.0.1:${port?.trim()}`;
  const figures: Figure[] = [
    ...await benchRouter(origin),
    ...await benchUsage((book) => createFastRouter(origin, book)),
    ...await benchStartUp(origin),
    ...await benchServe(origin),
  ];
  const report = { machine: machine(), at: new Date().toISOString(), figures };
  console.log(`${report.machine}\n\n${renderTable(figures)}\n`);
  console.log(JSON.stringify(report));
} finally {
  server.kill();
  await server.status;
}

function machine(): string {
  const { deno, v8 } = Deno.version;
  return `${navigator.hardwareConcurrency} processors, ${Deno.build.target}, Deno ${deno}, V8 ${v8}`;
}
