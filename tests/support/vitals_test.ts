import assert from "node:assert/strict";
import { startScript } from "./script.ts";
import { skipped } from "./skipped.ts";
import { sampleVitals, vitalsMissing } from "./vitals.ts";

const ignore = skipped(vitalsMissing);

Deno.test(
  "sampleVitals() counts what a process opens and keeps, and sees it go",
  { ignore },
  async () => {
    await using script = startScript("support/holder.ts");
    const told = async (what: string) => {
      await script.tell(what);
      assert.equal(await script.line(), what);
      const vitals = await sampleVitals(Number(pid));
      assert.ok(vitals);
      return vitals;
    };
    const pid = await script.line();
    const before = await told("nothing");
    const files = await told("files");
    const sockets = await told("sockets");
    const memory = await told("memory");
    const after = await told("close");
    assert.deepEqual(
      [files, sockets, memory, after].map(({ descriptors, sockets }) => [descriptors - before.descriptors, sockets]),
      [[10, before.sockets], [20, before.sockets + 10], [20, before.sockets + 10], [0, before.sockets]],
    );
    assert.ok(memory.rssMb - sockets.rssMb > 90, `100 MB of bytes are ${memory.rssMb - sockets.rssMb} MB`);
    assert.ok(memory.peakMb >= memory.rssMb && memory.threads >= 1);
  },
);

Deno.test("sampleVitals() gives millions of bytes", { ignore }, async () => {
  await using script = startScript("support/holder.ts");
  const pid = Number(await script.line());
  script.kill("SIGSTOP"); // so that it holds the same both times
  const pages = Number((await Deno.readTextFile(`/proc/${pid}/statm`)).split(" ")[1]);
  const { stdout } = await new Deno.Command("getconf", { args: ["PAGESIZE"] }).output();
  const bytes = pages * Number(new TextDecoder().decode(stdout));
  const { rssMb = NaN } = await sampleVitals(pid) ?? {};
  assert.ok(Math.abs(rssMb * 1e6 / bytes - 1) < 0.01, `${bytes} bytes are ${rssMb} MB`);
});

Deno.test("sampleVitals() knows nothing of a process that is not there", async () => {
  const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
  await child.status;
  assert.equal(await sampleVitals(child.pid), undefined);
});
