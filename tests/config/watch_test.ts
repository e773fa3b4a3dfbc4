import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { watchConfig, type WatchOptions } from "../../src/config/watch.ts";
import { AgentError, ConfigError, EXIT } from "../../src/core/errors.ts";
import { inNewFolder, rejection, validExample } from "./examples.ts";

const FIRST = JSON.stringify(validExample());
const SECOND = `${FIRST}\n// changed`;

interface Watched {
  readonly dir: string;
  readonly file: string;
  /** The text models.json had at each call of onChange; null when it could not be read. */
  readonly seen: (string | null)[];
  /** Waits for the next call of onChange. */
  next(): Promise<void>;
}

/** Runs `work` while a folder is watched, then ends the watching and checks that it ends. */
async function whileWatching(options: Partial<WatchOptions>, work: (watched: Watched) => Promise<void>): Promise<void> {
  await inNewFolder(async (root) => {
    const dir = options.dir ? join(root, options.dir) : root;
    const file = join(dir, "models.json");
    if (!options.dir) await Deno.writeTextFile(file, FIRST);
    const controller = new AbortController();
    const seen: (string | null)[] = [];
    let changed = Promise.withResolvers<void>();
    const onChange = async () => {
      seen.push(await Deno.readTextFile(file).catch(() => null));
      changed.resolve();
    };
    const next = async () => {
      const tooLate = setTimeout(() => changed.reject(new Error("onChange was not called")), 10_000);
      await changed.promise.finally(() => clearTimeout(tooLate));
      changed = Promise.withResolvers();
    };
    const awake = setInterval(() => {}, 1000); // watching alone does not keep a program running
    // No poll unless a test asks for one, so that the tests of events cannot live on it.
    const common = { text: FIRST, debounceMs: 30, pollMs: 3_600_000, onChange, signal: controller.signal };
    const watching = watchConfig({ ...common, ...options, dir });
    try {
      await work({ dir, file, seen, next });
    } finally {
      controller.abort();
      await watching;
      clearInterval(awake);
    }
  });
}

/** Long enough for the watcher to have noticed, had there been anything to notice. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 100));

Deno.test("watchConfig() sees a file that is written in place", async () => {
  await whileWatching({}, async ({ file, seen, next }) => {
    await Deno.writeTextFile(file, SECOND);
    await next();
    assert.equal(seen.at(-1), SECOND);
  });
});

Deno.test("watchConfig() sees a file that is replaced by rename, again and again", async () => {
  await whileWatching({}, async ({ dir, file, seen, next }) => {
    for (const text of [SECOND, FIRST, SECOND]) {
      await Deno.writeTextFile(join(dir, "new"), text);
      await Deno.rename(join(dir, "new"), file);
      await next();
      assert.equal(seen.at(-1), text);
    }
    assert.equal(seen.length, 3);
  });
});

Deno.test("watchConfig() reports a broken file and then the mended one", async () => {
  await whileWatching({}, async ({ dir, file, next }) => {
    await Deno.writeTextFile(file, FIRST.slice(0, 100));
    await next();
    assert(await rejection(loadConfig({ dir })) instanceof ConfigError);
    await Deno.writeTextFile(file, SECOND);
    await next();
    assert.equal((await loadConfig({ dir })).text, SECOND);
  });
});

Deno.test("watchConfig() reports a file that can no longer be read, once, and the one that can again", async () => {
  await whileWatching({ pollMs: 20 }, async ({ dir, file, seen, next }) => {
    await Deno.truncate(file, 2_000_000);
    await next();
    await quiet();
    assert.equal(seen.length, 1);
    assert(await rejection(loadConfig({ dir })) instanceof ConfigError);
    await Deno.writeTextFile(file, SECOND);
    await next();
    assert.equal(seen.at(-1), SECOND);
  });
});

Deno.test("watchConfig() reports many quick writes as one change", async () => {
  await whileWatching({ debounceMs: 100 }, async ({ file, seen, next }) => {
    for (let index = 0; index < 20; index++) {
      await Deno.writeTextFile(file, `${SECOND}${index}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await next();
    assert.deepEqual(seen, [`${SECOND}19`]);
  });
});

Deno.test("watchConfig() does not report a save without a change, other files, or a new date", async () => {
  await whileWatching({ pollMs: 20 }, async ({ dir, file, seen }) => {
    await Deno.writeTextFile(file, FIRST);
    await Deno.writeTextFile(join(dir, "other.json"), "{}");
    await Deno.utime(file, 0, 0);
    await quiet();
    assert.deepEqual(seen, []);
  });
});

Deno.test("watchConfig() reports what changed between loading and watching", async () => {
  await whileWatching({ text: "an older text" }, async ({ seen, next }) => {
    await next();
    assert.deepEqual(seen, [FIRST]);
  });
});

Deno.test("watchConfig() without a text begins with what the file says", async () => {
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "models.json"), FIRST);
    const controller = new AbortController();
    let calls = 0;
    const watching = watchConfig({
      dir,
      debounceMs: 5,
      pollMs: 10,
      onChange: () => void calls++,
      signal: controller.signal,
    });
    await quiet();
    assert.equal(calls, 0);
    controller.abort();
    await watching;
  });
});

Deno.test("watchConfig() does not report a file that is gone, and sees the one that comes instead", async () => {
  await whileWatching({ pollMs: 20 }, async ({ file, seen, next }) => {
    await Deno.remove(file);
    await quiet();
    assert.deepEqual(seen, []);
    await Deno.writeTextFile(file, SECOND);
    await next();
    assert.deepEqual(seen, [SECOND]);
  });
});

Deno.test("watchConfig() survives its folder vanishing and coming back, with events working again", async () => {
  await whileWatching({ dir: "config", pollMs: 20 }, async ({ dir, file, seen, next }) => {
    for (const text of [SECOND, FIRST]) {
      await quiet();
      await Deno.mkdir(dir);
      await Deno.writeTextFile(file, text);
      await next();
      await Deno.writeTextFile(file, `${text} `);
      await next();
      await Deno.remove(dir, { recursive: true });
    }
    await quiet();
    assert.deepEqual(seen, [SECOND, `${SECOND} `, FIRST, `${FIRST} `]);
  });
});

Deno.test("watchConfig() notices a folder that is swapped for another by rename", async () => {
  await whileWatching({ dir: "config", pollMs: 20 }, async ({ dir, file, seen, next }) => {
    await Deno.mkdir(dir);
    await Deno.writeTextFile(file, SECOND);
    await next();
    await Deno.mkdir(`${dir}2`);
    await Deno.writeTextFile(`${dir}2/models.json`, FIRST);
    await Deno.rename(dir, `${dir}1`);
    await Deno.rename(`${dir}2`, dir);
    await next();
    assert.deepEqual(seen, [SECOND, FIRST]);
  });
});

Deno.test({
  name: "watchConfig() finds a change behind a link by looking again",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inNewFolder(async (elsewhere) => {
      const target = join(elsewhere, "mine.json");
      await Deno.writeTextFile(target, FIRST);
      await whileWatching({ pollMs: 20 }, async ({ file, seen, next }) => {
        await Deno.remove(file);
        await Deno.symlink(target, file);
        await quiet();
        await Deno.writeTextFile(target, SECOND);
        await next();
        assert.deepEqual(seen, [SECOND]);
      });
    });
  },
});

Deno.test("watchConfig() reads a folder that is never quiet all the same", async () => {
  await whileWatching({ debounceMs: 50, pollMs: 60 }, async ({ dir, file, next }) => {
    let noisy = true;
    const noise = (async () => {
      for (let index = 0; noisy; index++) {
        await Deno.writeTextFile(join(dir, "noise"), String(index));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await Deno.writeTextFile(file, SECOND);
    await next();
    noisy = false;
    await noise;
  });
});

Deno.test("watchConfig() waits for a slow onChange before it looks again", async () => {
  await inNewFolder(async (dir) => {
    const file = join(dir, "models.json");
    await Deno.writeTextFile(file, FIRST);
    const controller = new AbortController();
    const running: number[] = [];
    let atOnce = 0;
    const twice = Promise.withResolvers<void>();
    const onChange = async () => {
      running.push(++atOnce);
      if (running.length === 1) await Deno.writeTextFile(file, `${SECOND}!`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      atOnce--;
      if (running.length === 2) twice.resolve();
    };
    const watching = watchConfig({ dir, text: FIRST, debounceMs: 5, pollMs: 10, onChange, signal: controller.signal });
    await Deno.writeTextFile(file, SECOND);
    await twice.promise;
    controller.abort();
    await watching;
    assert.deepEqual(running, [1, 1]);
  });
});

Deno.test("watchConfig() with an aborted signal ends at once", async () => {
  await inNewFolder(async (dir) => {
    const onChange = () => assert.fail("nothing may be reported");
    await watchConfig({ dir, text: "other", onChange, signal: AbortSignal.abort() });
  });
});

Deno.test("watchConfig() ends when the signal aborts while it reads", async () => {
  await inNewFolder(async (dir) => {
    const controller = new AbortController();
    const onChange = () => assert.fail("nothing may be reported");
    const watching = watchConfig({ dir, text: FIRST, pollMs: 3_600_000, onChange, signal: controller.signal });
    controller.abort();
    await watching;
  });
});

Deno.test({
  name: "watchConfig() says so when the sandbox refuses the folder",
  permissions: { read: ["./config"] },
  fn: async () => {
    const signal = new AbortController().signal;
    const error = await rejection(watchConfig({ dir: "/elsewhere", onChange: () => {}, signal }));
    assert(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.permission);
  },
});
