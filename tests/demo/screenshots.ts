/** `deno task screenshots`: takes the pictures of the README, from the demo, in Chromium. */
import { openPage } from "../support/browser.ts";
import { startDemo } from "./demo.ts";

const FOLDER = new URL("./screenshots/", import.meta.url).pathname;
/** By then a provider is down and another answers. */
const STEPS = 6;
const VIEWS = [
  { view: "centre", width: 1280, colorScheme: "dark" },
  { view: "models", width: 1280, colorScheme: "light" },
  { view: "usage", width: 1280, colorScheme: "dark" },
] as const;

await Deno.mkdir(FOLDER, { recursive: true });
await using demo = await startDemo();
for (let step = 0; step < STEPS; step++) await demo.step();
for (const { view, ...look } of VIEWS) {
  await using tested = await openPage(`${demo.origin}/#/${view}`, look);
  await tested.page.locator(".card").nth(2).waitFor();
  await tested.page.screenshot({ path: `${FOLDER}${view}.png` });
  console.log(`${FOLDER}${view}.png`);
}
