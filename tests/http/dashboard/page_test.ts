import assert from "node:assert/strict";
import { createWorld } from "../../e2e/setup.ts";
import { serve } from "../../e2e/served.ts";
import { type Api, type ApiOptions, startApi, TOKEN } from "../../support/api.ts";
import { readOk } from "../../support/api_answers.ts";
import { browserMissing, openPage, type PageOptions, type TestedPage } from "../../support/browser.ts";
import { say, teach } from "../../support/conversation.ts";
import { until } from "../../support/rig.ts";
import { skipped } from "../../support/skipped.ts";

const ignore = skipped(browserMissing);

const VIEWS = ["centre", "models", "usage", "chat", "memory", "privacy"] as const;

/** A test in the browser; skipped where there is none. */
function pageTest(name: string, run: (api: Api) => Promise<void>, change?: ApiOptions["change"]): void {
  Deno.test({
    name: `the page ${name}`,
    ignore,
    // The library that drives the browser keeps a timer of its own.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using api = await startApi(change ? { change } : {});
      await run(api);
    },
  });
}

const open = ({ origin }: Api, view: string, options?: PageOptions) => openPage(`${origin}/#/${view}`, options);

/** The page is as it is to be, but for requests that a test has made fail. */
function assertCalm({ troubles, origins }: TestedPage, { origin }: Api): void {
  assert.deepEqual(troubles, []);
  assert.deepEqual([...origins], [origin]);
}

pageTest("shows every view without a fault, in both themes and both languages, on a telephone too", async (api) => {
  await teach(api, "huerto.md", "El huerto es verde.");
  await say(api, "¿De qué color es el huerto?");
  const looks: PageOptions[] = [
    { width: 1440, colorScheme: "dark", locale: "en-GB" },
    { width: 1440, colorScheme: "light", locale: "es-ES" },
    { width: 360, colorScheme: "light", locale: "en-GB" },
    { width: 360, colorScheme: "dark", locale: "es-ES" },
  ];
  for (const look of looks) {
    await using tested = await open(api, "centre", look);
    const { page } = tested;
    for (const view of VIEWS) {
      await page.goto(`${api.origin}/#/${view}`);
      await page.locator("h1").waitFor();
      await page.locator(view === "chat" ? "textarea" : ".card, table").first().waitFor();
      assert.deepEqual(await tested.audit(), [], `${view} at ${look.width}`);
      const overflow = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      assert.equal(overflow, 0, `${view} is wider than ${look.width}`);
    }
    assert.equal(await page.locator("html").getAttribute("lang"), look.locale?.slice(0, 2));
    assertCalm(tested, api);
  }
});

pageTest("speaks the language that is chosen, and remembers it", async (api) => {
  await using tested = await open(api, "models", { locale: "de-DE" });
  const { page } = tested;
  await page.getByRole("heading", { name: "Models" }).first().waitFor();
  await page.getByLabel("Language").selectOption("es");
  await page.getByRole("heading", { name: "Modelos" }).first().waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Modelos" }).first().waitFor();
  assertCalm(tested, api);
});

pageTest("shows with its lights how a provider fails, is tried, and serves again", async (api) => {
  await using tested = await open(api, "centre");
  const { page } = tested;
  const shows = (state: string) => page.locator(`[data-provider="first"] [data-state="${state}"]`).waitFor();
  await shows("closed");
  api.first.always({ kind: "status", status: 500 });
  for (let count = 0; count < 3; count++) await say(api, "Hola");
  await shows("open");
  await page.getByText(/failed \d times in a row; not reachable or out of order; next try in \d+ s/).waitFor();
  assert.match(await page.locator(".chain .last").innerText(), /second\/small/);
  api.first.always({ kind: "answer", firstTokenDelayMs: 1500 });
  await page.getByText("the next call tries again").waitFor();
  const answer = say(api, "Hola");
  await shows("half_open");
  await page.getByText("one call finds out whether it is back").waitFor();
  await answer;
  await shows("closed");
  assertCalm(tested, api);
}, (models) => ({ ...models, circuit_breaker: { failure_threshold: 3, recovery_seconds: 1 } }));

pageTest("changes profile and roles, in the file too, and says what it cannot do", async (api) => {
  await using tested = await open(api, "models");
  const { page } = tested;
  const file = `${api.folder}/config/models.json`;
  await page.getByLabel("Profile").selectOption("small_first");
  await page.getByRole("button", { name: "Use this profile" }).click();
  await page.getByText(/^Changed\./).waitFor();
  assert.equal(api.agent.router.snapshot.profile.name, "small_first");
  await page.getByText("Active: small_first").waitFor();
  await page.getByLabel("technical").selectOption("first/llama3.2");
  await page.getByLabel("business").selectOption("first/llama3.2");
  assert.doesNotMatch(await Deno.readTextFile(file), /"business"/, "nothing is written before it is said so");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText(/^Changed\..*business/).waitFor();
  assert.match(await Deno.readTextFile(file), /"technical": "first\/llama3\.2"/);
  await page.getByLabel("Profile").selectOption("cloudy");
  await page.getByText(/This process is sealed, and this profile asks groq/).waitFor();
  assertCalm(tested, api);
});

pageTest("keeps every role that is chosen, however fast", async (api) => {
  await using tested = await open(api, "models");
  const { page } = tested;
  await page.getByLabel("technical").waitFor();
  // Both before the page has drawn itself anew.
  await page.evaluate(`for (const label of ["technical", "business"]) {
    const field = [...document.querySelectorAll("label")].find((each) => each.textContent.startsWith(label));
    const select = field.querySelector("select");
    select.value = "second/small";
    select.dispatchEvent(new Event("change", { bubbles: true }));
  }`);
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText(/^Changed\..*technical.*business/).waitFor();
  assertCalm(tested, api);
});

pageTest("tests a model, and says what is wrong with a models.json that is refused", async (api) => {
  await using tested = await open(api, "models");
  const { page } = tested;
  await page.getByRole("button", { name: "Test: first/llama3.2" }).click();
  await page.locator("td .notice.ok").getByText(/^answers after \d+ ms$/).waitFor();
  await Deno.writeTextFile(`${api.folder}/config/models.json`, '{"profile": 7}');
  await page.getByRole("button", { name: "Read models.json again" }).click();
  const problem = page.locator(".notice.bad:not(:empty)").first();
  await problem.waitFor();
  assert.match(await problem.innerText(), /profile/);
});

pageTest("holds a conversation, with mode, sources, model and cost", async (api) => {
  await teach(api, "huerto.md", "El huerto es verde.");
  await using tested = await open(api, "chat");
  const { page } = tested;
  api.first.next({ kind: "answer", tokens: ["Es ", "verde", "."], gapMs: 20 });
  await page.getByLabel("Message").fill("¿De qué color es el huerto?");
  await page.getByLabel("Message").press("Enter");
  await page.getByText("Es verde.").waitFor();
  await page.getByText(/first\/llama3\.2 · 0\.0\d+ USD · \d+ ms/).waitFor();
  await page.getByText("Sources: huerto.md").waitFor();
  await page.getByLabel("Mode").selectOption("3");
  await page.getByLabel("Message").fill("¿Y el huerto?");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("3: memory alone · 0 USD").waitFor();
  assert.equal(api.first.chats.length, 1);
  assertCalm(tested, api);
});

pageTest("shows what a model, a document or a conversation says as text, whatever it is", async (api) => {
  const markup = '<img src="http://192.0.2.1/x.png" onerror="document.title=1"><s>Hola</s>';
  await teach(api, "<s>huerto</s>.md", `El huerto: ${markup}`);
  await using tested = await open(api, "chat");
  const { page } = tested;
  api.first.always({ kind: "answer", tokens: [markup, " ![x](http://192.0.2.1/y.png)"] });
  await say(api, `¿Qué dice el huerto? ${markup}`, { conversation_id: "<u>c</u>" });
  await page.getByLabel("Message").fill(markup);
  await page.getByLabel("Message").press("Enter");
  await page.getByText(`${markup} ![x](http://192.0.2.1/y.png)`).first().waitFor();
  for (const view of VIEWS) {
    await page.goto(`${api.origin}/#/${view}`);
    await page.locator("h1").waitFor();
    assert.equal(await page.locator("img, s, u").count(), 0, view);
  }
  assertCalm(tested, api);
});

pageTest("stops an answer, the model with it, and keeps what is being written", async (api) => {
  await using tested = await open(api, "chat");
  const { page } = tested;
  api.first.next({ kind: "stall", after: 1 });
  await page.getByLabel("Message").fill("Hola");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("button[aria-disabled=false]", { hasText: "Stop" }).waitFor();
  await until(() => api.first.chats.length === 1);
  await page.getByLabel("Message").fill("a medio escribir");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").waitFor();
  assert.equal(await page.getByLabel("Message").inputValue(), "a medio escribir");
  assert.equal(api.first.chats.length, 1);
  assertCalm(tested, api);
});

pageTest("goes on with an answer while another view is looked at, and keeps the draft", async (api) => {
  await using tested = await open(api, "chat");
  const { page } = tested;
  api.first.next({ kind: "answer", tokens: ["Uno", " dos", " tres"], gapMs: 200 });
  await page.getByLabel("Message").fill("Cuenta");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByLabel("Message").fill("después");
  await page.getByRole("link", { name: "Privacy" }).click();
  await page.getByRole("heading", { level: 1, name: "Privacy" }).waitFor();
  assert.equal(await page.evaluate("document.activeElement.textContent"), "Privacy");
  await page.getByRole("link", { name: "Chat" }).click();
  await page.getByText("Uno dos tres").waitFor();
  await page.getByText(/first\/llama3\.2 ·/).waitFor();
  assert.equal(await page.getByLabel("Message").inputValue(), "después");
  assertCalm(tested, api);
});

pageTest("gives a question back that nobody answered, with the reason", async (api) => {
  await using tested = await open(api, "chat");
  const { page } = tested;
  for (const provider of [api.first, api.second]) provider.always({ kind: "status", status: 404 });
  await page.getByLabel("Message").fill("¿Hay alguien?");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/No model could answer/).waitFor();
  assert.equal(await page.getByLabel("Message").inputValue(), "¿Hay alguien?");
});

pageTest("says when what it shows is no longer what is", async (api) => {
  await using tested = await open(api, "centre");
  const { page } = tested;
  await page.getByText("live", { exact: true }).waitFor();
  await api.stop(0);
  await page.getByText(/^The program does not answer\. What you see is as of/).waitFor();
});

pageTest("deletes and sends once, however quickly one clicks twice", async (api) => {
  for (
    const [name, text] of [["uno", "Tomates uno.\n\nMás.\n\nTodavía más."], ["dos", "Tomates dos."], [
      "tres",
      "Tomates.",
    ]]
  ) {
    await teach(api, name ?? "", text ?? "");
  }
  await using tested = await open(api, "memory");
  const { page } = tested;
  await page.getByLabel("What to look for").fill("tomates");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("button", { name: /^Delete/ }).first().dblclick({ delay: 80 });
  await page.getByText("Deleted for good.").waitFor();
  await page.getByText(/learned passages/).waitFor();
  assert.equal(await page.getByRole("button", { name: /^deleted/ }).count(), 1);
  await page.getByRole("link", { name: "Chat" }).click();
  await page.getByLabel("Message").fill("Hola");
  await page.getByRole("button", { name: "Send" }).dblclick({ delay: 80 });
  await page.getByText(/first\/llama3\.2 ·/).waitFor();
  assert.equal(api.first.chats.length, 1);
  assertCalm(tested, api);
});

pageTest("works without a place to keep anything", async (api) => {
  await using tested = await open(api, "centre", { without: "window.sessionStorage" });
  await tested.page.getByText("live", { exact: true }).waitFor();
  assertCalm(tested, api);
});

pageTest("keeps mode and lesson across views", async (api) => {
  await using tested = await open(api, "chat");
  const { page } = tested;
  await page.getByLabel("Mode").selectOption("3");
  await page.getByRole("link", { name: "Memory" }).click();
  await page.getByLabel("Text").fill("a medias");
  await page.getByRole("link", { name: "Chat" }).click();
  assert.equal(await page.getByLabel("Mode").inputValue(), "3");
  await page.getByRole("link", { name: "Memory" }).click();
  assert.equal(await page.getByLabel("Text").inputValue(), "a medias");
  assertCalm(tested, api);
});

pageTest("works where it does not come from this machine, which browsers trust less", async (api) => {
  await using tested = await open(api, "chat", { without: "crypto.randomUUID" });
  await tested.page.getByLabel("Message").fill("Hola");
  await tested.page.getByRole("button", { name: "Send" }).click();
  await tested.page.getByText("Hola, soy Django.").waitFor();
  assertCalm(tested, api);
});

pageTest("teaches, finds and deletes", async (api) => {
  await using tested = await open(api, "memory");
  const { page } = tested;
  await page.getByLabel("Text").fill("Los tomates se riegan cada dos días.");
  await page.getByLabel(/Under the name/).fill("riego");
  await page.getByRole("button", { name: "Teach" }).click();
  await page.getByText("Learned: 1 passage.").waitFor();
  await page.getByLabel("What to look for").fill("tomates");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Los tomates se riegan cada dos días.").waitFor();
  await page.getByRole("button", { name: /^Delete: riego/ }).click();
  await page.getByText("Deleted for good.").waitFor();
  await page.getByRole("button", { name: /^deleted: riego/ }).waitFor();
  assert.equal(await page.evaluate("document.activeElement.textContent"), "deleted");
  await page.getByText("0 learned passages").waitFor();
  assertCalm(tested, api);
});

pageTest("counts what was used, and tells what has left the process", async (api) => {
  await say(api, "Hola");
  await using tested = await open(api, "centre");
  const { page } = tested;
  await page.getByText(/^0 under way, 0 waiting; p50 \d+ ms, p95 \d+ ms$/).waitFor();
  await page.goto(`${api.origin}/#/usage`);
  await page.getByLabel("Days").selectOption("30");
  await page.getByRole("img", { name: /Chart: Tokens by day/ }).waitFor();
  await page.getByRole("rowheader", { name: "first/llama3.2" }).or(page.getByRole("rowheader", { name: "llama3.2" }))
    .first()
    .waitFor();
  await page.goto(`${api.origin}/#/privacy`);
  await page.getByRole("rowheader", { name: api.first.origin }).waitFor();
  const { note } = await readOk<{ note: string }>(await api.send("GET", "/api/privacy"));
  await page.getByText(note, { exact: true }).waitFor();
  assertCalm(tested, api);
});

pageTest("does not grow with ten thousand events", async (api) => {
  await using tested = await open(api, "centre");
  const { page } = tested;
  await page.getByText("live", { exact: true }).waitFor();
  const emit = (from: number, to: number) => {
    for (let count = from; count < to; count++) {
      api.agent.events.emit("agent_state.thinking", { conversation_id: `c${count}` });
    }
  };
  for (let sent = 0; sent < 10_000; sent += 500) {
    emit(sent, sent + 500);
    await page.getByText(`conversation_id: c${sent + 499}`, { exact: true }).waitFor();
  }
  assert.equal(await page.locator(".feed li").count(), 100);
  assertCalm(tested, api);
});

Deno.test({
  name: "the page asks for the token once, and keeps it in the tab",
  ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using api = await startApi({ token: TOKEN });
    await using tested = await open(api, "centre");
    const { page } = tested;
    const enter = async (token: string) => {
      await page.getByLabel(/DJANGO_API_TOKEN/).fill(token);
      await page.getByRole("button", { name: "Enter" }).click();
    };
    await enter("wrong");
    await page.getByText("That is not the token of this server.").waitFor();
    assert.deepEqual(await tested.audit(), []);
    await enter("clave\u200b");
    await page.getByText("No token has such characters.").waitFor();
    await enter(TOKEN);
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText("serving").first().waitFor();
    await page.reload();
    await page.getByText("live", { exact: true }).waitFor();
    assert.equal(await page.evaluate("Object.keys(localStorage).length"), 0);
  },
});

Deno.test({
  name: "the page finds back to a program that was started anew",
  ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using world = await createWorld();
    const first = await serve(world);
    const { port } = new URL(first.origin);
    await using tested = await openPage(`${first.origin}/#/centre`);
    const { page } = tested;
    await page.getByText("live", { exact: true }).waitFor();
    await first[Symbol.asyncDispose]();
    await page.getByText("not connected; trying again").waitFor();
    await using second = await serve(world, ["serve", "--port", port]);
    await page.getByText("live", { exact: true }).waitFor();
    await second.post("/api/chat", { message: "Hola" });
    await page.getByText("chat.response_generated").first().waitFor();
  },
});
