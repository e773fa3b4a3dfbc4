import { type Api, startApi } from "../support/api.ts";
import { browserMissing, openPage } from "../support/browser.ts";
import { median } from "../support/statistics.ts";
import type { Figure } from "./measure.ts";

const ROUNDS = 7;

/** How soon the page shows something and follows what happens, and what it weighs; nothing where there is no browser. */
export async function benchPage(): Promise<Figure[]> {
  if (browserMissing !== undefined) {
    console.error("Left out: the page. It needs Chromium (apt-get install chromium).");
    return [];
  }
  await using api = await startApi();
  const paints: number[] = [];
  let bytes = 0;
  for (let round = -1; round < ROUNDS; round++) {
    await using tested = await openPage(api.origin);
    await tested.page.locator(".card").first().waitFor();
    const paint: number = await tested.page.evaluate(
      'performance.getEntriesByName("first-contentful-paint")[0].startTime',
    );
    bytes = await tested.page.evaluate(`performance.getEntries()
      .filter(({ name, entryType }) => entryType === "navigation" || name.includes("/assets/"))
      .reduce((sum, { transferSize }) => sum + transferSize, 0)`);
    if (round >= 0) paints.push(paint); // the first one has the server make the files
  }
  return [
    await benchLight(api),
    {
      what: "page, first paint",
      value: median(paints),
      unit: "ms",
      bound: { kind: "at most", value: 300 },
      note: `first contentful paint in Chromium with nothing cached; median of ${ROUNDS}`,
    },
    {
      what: "page, weight",
      value: bytes / 1000,
      unit: "kB",
      bound: { kind: "at most", value: 150 },
      note: "compressed, with its headers",
    },
  ];
}

/** How soon the page shows that a provider fails, from the answer to the call that opened its breaker. */
async function benchLight(api: Api): Promise<Figure> {
  await using tested = await openPage(api.origin);
  const light = (state: string) => tested.page.locator(`[data-provider="first"] [data-state="${state}"]`).waitFor();
  await light("closed");
  api.first.always({ kind: "status", status: 500 });
  for (let call = 0; call < 3; call++) await (await api.send("POST", "/api/chat", { message: "Hola" })).body?.cancel();
  const startedAt = performance.now();
  await light("open");
  return {
    what: "page, a light follows its provider",
    value: performance.now() - startedAt,
    unit: "ms",
    bound: { kind: "at most", value: 1000 },
    note: "from the answer that opened the breaker to the light in Chromium",
  };
}
