/** Debian's Chromium, for the tests of the page. */
import { type Browser, chromium, type Page } from "playwright-core";
import axe from "axe-core" with { type: "text" };

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const program = await findProgram();

/** Why there is no browser here; undefined when there is one. */
export const browserMissing: string | undefined = program === undefined
  ? "not installed: Chromium (Debian: chromium)"
  : undefined;

async function findProgram(): Promise<string | undefined> {
  for (const name of PROGRAMS) {
    try {
      const { success } = await new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
        .output();
      if (success) return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

export interface PageOptions {
  readonly width?: number;
  readonly colorScheme?: "dark" | "light";
  /** What the browser prefers. */
  readonly locale?: string;
  /** Something of the browser's that the page is to do without: `crypto.randomUUID`. */
  readonly without?: string;
}

export interface TestedPage extends AsyncDisposable {
  readonly page: Page;
  /** What went wrong in the page or was refused by its policy, and requests that failed. */
  readonly troubles: readonly string[];
  /** Origins that the page has asked. */
  readonly origins: ReadonlySet<string>;
  /** What axe-core finds against WCAG 2.2 AA, one line each. */
  audit(): Promise<string[]>;
}

/** Opens an address in a browser of its own. */
export async function openPage(address: string, options: PageOptions = {}): Promise<TestedPage> {
  const { width = 1440, colorScheme = "dark", locale = "en-GB" } = options;
  const browser: Browser = await chromium.launch({ executablePath: await pathOf(program ?? ""), args: FLAGS });
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, locale });
  const [troubles, origins]: [string[], Set<string>] = [[], new Set()];
  page.on("pageerror", ({ message }) => troubles.push(message));
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.on("request", (request) => request.url().startsWith("http") && origins.add(new URL(request.url()).origin));
  if (options.without !== undefined) {
    await page.addInitScript(`Object.defineProperty(${parentOf(options.without)}, { value: undefined })`);
  }
  try {
    await page.goto(address);
  } catch (error) {
    await browser.close();
    throw error;
  }
  return {
    page,
    troubles,
    origins,
    async audit() {
      await page.evaluate(axe);
      const violations: Violation[] = await page.evaluate(AUDIT);
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** Where a property is, and its name: `crypto, "randomUUID"`. */
function parentOf(path: string): string {
  const at = path.lastIndexOf(".");
  return `${path.slice(0, at)}, "${path.slice(at + 1)}"`;
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

const AUDIT = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
  .then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => ({ html })) })))`;

/** The library wants a path, not a name. */
async function pathOf(name: string): Promise<string> {
  const { stdout } = await new Deno.Command("which", { args: [name] }).output();
  return new TextDecoder().decode(stdout).trim();
}
