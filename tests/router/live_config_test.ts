import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/load.ts";
import { AgentError, ConfigError, SealedError } from "../../src/core/errors.ts";
import { createEventBus, type EventMap } from "../../src/core/events.ts";
import { createAccounting } from "../../src/router/accounting.ts";
import { resolveProfile } from "../../src/router/chain.ts";
import { LiveConfig } from "../../src/router/live_config.ts";
import { Router } from "../../src/router/router.ts";
import { createSnapshot, type RouterSnapshot } from "../../src/router/snapshot.ts";
import { createFolder } from "../support/program.ts";
import { until } from "../support/rig.ts";

const MODELS = {
  profile: "one",
  providers: { ollama: { type: "ollama", models: { a: { context: 1024 }, b: { context: 1024 } } } },
  fallback_chain: ["ollama/a"],
  profiles: { one: {}, two: { fallback_chain: ["ollama/b"] }, three: {} },
};
const REFUSAL = { kind: "egress_denied", reason: "A test asks nobody", remedy: "None." } as const;

interface Live extends AsyncDisposable {
  readonly live: LiveConfig;
  readonly router: Router;
  readonly reloads: readonly Readonly<EventMap["config.router_reloaded"]>[];
  /** The profiles that were built, in order; put an error into `failing` to let the next one fail. */
  readonly failing: Error[];
  edit(change: object | string): Promise<void>;
  profileInFile(): Promise<string>;
  text(): Promise<string>;
  remove(): Promise<void>;
  /** Begins to watch, until the end of the test. */
  watch(): void;
}

async function startLive(profile?: string): Promise<Live> {
  const folder = await createFolder(MODELS);
  const dir = `${folder.path}/config`;
  const failing: Error[] = [];
  const build = (config: { models: RouterSnapshot["models"] }, chosen: string | undefined): Promise<RouterSnapshot> => {
    const error = failing.shift();
    if (error) return Promise.reject(error);
    const name = chosen ?? config.models.profile;
    const found = resolveProfile(config.models, name) ?? assert.fail(`no profile ${name}`);
    const providers = new Map(Object.keys(config.models.providers).map((id) => [id, { refusal: REFUSAL }]));
    return Promise.resolve(createSnapshot({ models: config.models, profile: found, providers, cloudAllowed: false }));
  };
  const events = createEventBus({ onListenerError: (error) => assert.fail(String(error)) });
  const reloads: EventMap["config.router_reloaded"][] = [];
  events.subscribe((event) => {
    if (event.name === "config.router_reloaded") reloads.push(event.data);
  });
  const config = await loadConfig({ dir });
  const book = createAccounting({ record: () => {}, events });
  const router = new Router(await build(config, profile), { events, book });
  const live = new LiveConfig({
    dir,
    config,
    profile,
    cloud: false,
    router,
    events,
    read: () => loadConfig({ dir }),
    build,
  });
  const watching = new AbortController();
  let watched: Promise<void> | undefined;
  const file = `${dir}/models.json`;
  return {
    live,
    router,
    reloads,
    failing,
    edit: (change) => Deno.writeTextFile(file, typeof change === "string" ? change : JSON.stringify(change, null, 2)),
    profileInFile: async () => JSON.parse(await Deno.readTextFile(file)).profile,
    text: () => Deno.readTextFile(file),
    remove: () => Deno.remove(file),
    watch: () => void (watched = live.watch(watching.signal)),
    async [Symbol.asyncDispose]() {
      watching.abort();
      await watched;
      await folder[Symbol.asyncDispose]();
    },
  };
}

function profileOf({ router }: Live): string {
  return router.snapshot.profile.name;
}

Deno.test("LiveConfig.setProfile() changes file, router, events and current, in the order it was called", async () => {
  await using rig = await startLive();
  const { live } = rig;
  const results = await Promise.all(["two", "three", "one", "two"].map((name) => live.setProfile(name)));
  assert.deepEqual(results.map(({ changes }) => changes.join()), [
    "profile: one → two",
    "profile: two → three",
    "profile: three → one",
    "profile: one → two",
  ]);
  assert.deepEqual(rig.reloads, results);
  assert.deepEqual([profileOf(rig), await rig.profileInFile(), live.current.models.profile], ["two", "two", "two"]);
});

Deno.test("LiveConfig goes on after a change that was refused", async () => {
  await using rig = await startLive();
  const { live } = rig;
  const refused = assert.rejects(live.setProfile("nobody"), ConfigError);
  const other = assert.rejects(live.setAssignment("technical", "ollama/none"), ConfigError);
  const fine = live.setAssignment("technical", "ollama/b");
  await Promise.all([refused, other, fine]);
  assert.equal(rig.reloads.length, 1);
  assert.equal(live.current.models.assignments.technical, "ollama/b");
  assert.equal(rig.router.snapshot.profile.assignments.technical, "ollama/b");
});

Deno.test("LiveConfig keeps the profile chosen at the start until another is chosen", async () => {
  await using rig = await startLive("two");
  const { live } = rig;
  assert.equal((await live.reload()).ok, true);
  await live.setAssignment("technical", "ollama/b");
  assert.equal(profileOf(rig), "two");
  await live.setProfile("three");
  await rig.edit({ ...MODELS, profile: "one" });
  await live.reload();
  assert.equal(profileOf(rig), "one");
});

Deno.test("LiveConfig.setAssignment() counts in the profile that serves, not in the one the file names", async () => {
  await using rig = await startLive("two");
  await rig.edit({ ...MODELS, profiles: { ...MODELS.profiles, one: { assignments: { technical: "ollama/a" } } } });
  await rig.live.reload();
  await rig.live.setAssignment("technical", "ollama/b");
  assert.equal(rig.router.snapshot.profile.assignments.technical, "ollama/b");
  const { profiles, assignments } = rig.live.current.models;
  assert.deepEqual([profiles["one"]?.assignments?.technical, assignments.technical], ["ollama/a", "ollama/b"]);
});

Deno.test("LiveConfig changes what serves, not the embedded defaults, when the file is gone", async () => {
  await using rig = await startLive();
  await rig.remove();
  const { changes } = await rig.live.setProfile("two");
  assert.deepEqual(changes, ["profile: one → two"]);
  assert.deepEqual(JSON.parse(await rig.text()), { ...MODELS, profile: "two" });
});

Deno.test("LiveConfig.reload() says what counts only from the next start on", async () => {
  await using rig = await startLive();
  await rig.edit({ ...MODELS, server: { port: 9999 } });
  assert.deepEqual((await rig.live.reload()).changes, ["server changed, which counts from the next start on"]);
});

Deno.test("LiveConfig writes nothing of a change that could not serve", async () => {
  await using rig = await startLive();
  const before = await rig.text();
  rig.failing.push(new AgentError("Cannot do it", { exitCode: 77 }), new TypeError("secret"));
  await assert.rejects(rig.live.setProfile("two"), AgentError);
  await assert.rejects(rig.live.setAssignment("technical", "ollama/b"), TypeError);
  assert.deepEqual([await rig.text(), profileOf(rig), rig.reloads], [before, "one", []]);
});

Deno.test("LiveConfig.setProfile() says so when the file has named that profile all along", async () => {
  await using rig = await startLive("two");
  const { changes } = await rig.live.setProfile("one");
  assert.deepEqual(changes, ["profile: two → one"]);
  assert.deepEqual(rig.reloads.map(({ changes }) => changes), [changes]);
});

Deno.test("LiveConfig.setProfile() looks at the file as it is now before it says that a profile needs the cloud", async () => {
  await using rig = await startLive();
  const groq = { type: "groq", api_key_env: "GROQ_API_KEY", models: { c: { context: 1024 } } };
  const profiles = { ...MODELS.profiles, two: { fallback_chain: ["groq/c"] } };
  await rig.edit({ ...MODELS, providers: { ...MODELS.providers, groq }, profiles });
  const before = await rig.text();
  await assert.rejects(rig.live.setProfile("two"), SealedError);
  assert.deepEqual([await rig.text(), profileOf(rig)], [before, "one"]);
});

Deno.test("LiveConfig.reload() says why a file cannot be used, and the old one goes on serving", async () => {
  await using rig = await startLive();
  const { live, failing } = rig;
  const before = live.current;
  await rig.edit({ ...MODELS, profile: "nobody" });
  const { ok, problems } = await live.reload();
  assert.deepEqual([ok, problems.length], [false, 1]);
  assert.match(problems.join(), /nobody/);
  await rig.edit({ ...MODELS, profile: "two" });
  failing.push(new AgentError("Cannot do it", { exitCode: 77, remedy: "Do that." }), new TypeError("secret"));
  assert.deepEqual((await live.reload()).problems, ["Cannot do it → Do that."]);
  assert.deepEqual((await live.reload()).problems, ["It could not be read: TypeError"]);
  assert.equal(live.current, before);
  assert.equal(profileOf(rig), "one");
  assert.equal((await live.reload()).ok, true);
  assert.equal(profileOf(rig), "two");
});

Deno.test("LiveConfig.watch() takes up what a person writes, once", async () => {
  await using rig = await startLive();
  rig.watch();
  await rig.edit({ ...MODELS, profile: "two" });
  await until(() => rig.reloads.length === 1);
  assert.equal(profileOf(rig), "two");
  await rig.edit({ ...MODELS, profile: "three" });
  await until(() => rig.reloads.length === 2);
  assert.deepEqual(rig.reloads.map(({ changes }) => changes.join()), ["profile: one → two", "profile: two → three"]);
});

Deno.test("LiveConfig.watch() makes no event of its own changes, and sees a person undo one at once", async () => {
  await using rig = await startLive();
  rig.watch();
  await rig.live.setProfile("two");
  await rig.edit(MODELS); // what it said before, possibly before the watcher has looked at all
  await until(() => rig.reloads.length === 2);
  assert.deepEqual(rig.reloads.map(({ changes }) => changes.join()), ["profile: one → two", "profile: two → one"]);
  assert.equal(profileOf(rig), "one");
});

Deno.test("LiveConfig.watch() does not say again what a reload has said", async () => {
  await using rig = await startLive();
  rig.watch();
  await rig.edit("{");
  await rig.live.reload();
  assert.deepEqual(rig.reloads.map(({ ok }) => ok), [false]);
  // Longer than a text has to stay the same before it counts; the next event shows that none came between.
  await new Promise((resolve) => setTimeout(resolve, 400));
  await rig.edit(MODELS);
  await until(() => rig.reloads.length === 2); // that all is well again is news
  assert.deepEqual(rig.reloads.map(({ ok }) => ok), [false, true]);
});
