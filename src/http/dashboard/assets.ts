/** Everything the page is made of, as it goes over the wire. Loaded on demand: only who opens the page needs it. */
import preact from "preact" with { type: "text" };
import preactHooks from "preact/hooks" with { type: "text" };
import { stripTypeScriptTypes } from "node:module";
import uPlot from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import uPlotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import api from "./client/api.ts" with { type: "text" };
import centre from "./client/centre.ts" with { type: "text" };
import chat from "./client/chat.ts" with { type: "text" };
import conversation from "./client/conversation.ts" with { type: "text" };
import elements from "./client/elements.ts" with { type: "text" };
import knowledge from "./client/knowledge.ts" with { type: "text" };
import main from "./client/main.ts" with { type: "text" };
import memory from "./client/memory.ts" with { type: "text" };
import models from "./client/models.ts" with { type: "text" };
import observable from "./client/observable.ts" with { type: "text" };
import privacy from "./client/privacy.ts" with { type: "text" };
import style from "./client/style.css" with { type: "text" };
import usage from "./client/usage.ts" with { type: "text" };
import words from "./client/words.ts" with { type: "text" };

/** One file of the page. */
export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  /** For `If-None-Match`; weak, since it stands for the bytes in either form. */
  readonly etag: string;
}

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** Modules of the page, by name; each asks for the others by their names here. */
const MODULES = {
  api,
  centre,
  chat,
  conversation,
  elements,
  knowledge,
  main,
  memory,
  models,
  observable,
  privacy,
  usage,
  words,
};

/** Where the modules of the page find the libraries they name. */
export const IMPORT_MAP = { imports: { preact: "/assets/preact.js", "preact/hooks": "/assets/preact_hooks.js" } };

/** Makes the files, by their names in `/assets/`. */
export async function createAssets(): Promise<ReadonlyMap<string, Asset>> {
  const modules = Object.entries(MODULES).map(([name, text]) => [`${name}.ts`, SCRIPT, withoutTypes(text)] as const);
  const files = [
    ...modules,
    ["preact.js", SCRIPT, withoutMap(preact)],
    ["preact_hooks.js", SCRIPT, withoutMap(preactHooks)],
    ["uplot.js", SCRIPT, uPlot],
    ["uplot.css", STYLE, uPlotStyle],
    ["style.css", STYLE, style],
  ] as const;
  return new Map(await Promise.all(files.map(async ([name, type, text]) => [name, await pack(type, text)] as const)));
}

/** The types are replaced by blanks, which cost nothing once they are compressed. */
function withoutTypes(text: string): string {
  return stripTypeScriptTypes(text);
}

/** Browsers would ask for the map. */
function withoutMap(text: string): string {
  return text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");
}

async function pack(type: string, text: string): Promise<Asset> {
  const bytes = new TextEncoder().encode(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const gzipped = await new Response(stream).bytes();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { type, bytes, gzipped, etag: `W/"${digest.toHex().slice(0, 32)}"` };
}
