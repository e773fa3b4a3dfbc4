import assert from "node:assert/strict";
import { until } from "../support/rig.ts";
import { startDemo } from "./demo.ts";

Deno.test("the demo is the real program over made-up providers, says so, and goes through every fault", async () => {
  const demo = await startDemo();
  try {
    const read = async (path: string) => await (await fetch(demo.origin + path)).json();
    const health = await read("/health");
    assert.match(health.banner, /^Simulated:/);
    const { providers } = await read("/api/privacy");
    for (const { origin } of providers) assert.match(origin, /^http:\/\/127\.0\.0\.1:/);
    for (let step = 0; step < 12; step++) await demo.step();
    const { events } = await read("/api/events/recent");
    const names = new Set(events.map(({ name }: { name: string }) => name));
    for (const name of ["router.fallback", "router.breaker_changed", "chat.response_generated"]) {
      assert.ok(names.has(name), name);
    }
    assert.equal((await read("/health")).bot.state, "ready");
  } finally {
    await demo[Symbol.asyncDispose]();
  }
  await assert.rejects(fetch(`${demo.origin}/health`));
});

Deno.test("Ctrl-C ends the demo and everything it has started", async () => {
  const path = new URL("./demo.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-prompt", "--cached-only", path],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let said = "";
  let origin: string | undefined;
  const reading = (async () => {
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += piece;
      origin ??= /at (http:\/\/\S+)\. Everything in it is simulated/.exec(said)?.[1];
    }
  })();
  await until(() => origin !== undefined);
  child.kill("SIGINT");
  const { code } = await child.status;
  await reading;
  assert.equal(code, 0, said);
  await assert.rejects(fetch(`${origin}/health`));
});

Deno.test("Ctrl-C at any moment of its start leaves neither a process nor a folder", async () => {
  const folder = await Deno.makeTempDir();
  const path = new URL("./demo.ts", import.meta.url).pathname;
  try {
    for (const afterMs of [300, 600]) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "-A", "--no-prompt", "--cached-only", path],
        env: { TMPDIR: folder },
        stdout: "null",
        stderr: "null",
      }).spawn();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill("SIGINT");
      await child.status;
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), []);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
