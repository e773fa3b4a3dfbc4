import type { Figure } from "./measure.ts";

/** Gives the figures of one part of the program; `origin` is the fast fake of a provider. */
export type BenchPart = (origin: string) => Promise<Figure[]>;

/** The parts by their names, each loaded when it is run. */
export const PARTS: Readonly<Record<string, BenchPart>> = {
  router: async (origin) => (await import("./router_bench.ts")).benchRouter(origin),
  accounting: async (origin) => {
    const { createFastRouter } = await import("./router_bench.ts");
    return (await import("./usage_bench.ts")).benchUsage((book) => createFastRouter(origin, book));
  },
  api: async (origin) => (await import("./serve_bench.ts")).benchServe(origin),
  chat: async () => (await import("./memory_bench.ts")).benchMemory(),
  poster: async () => (await import("./post_bench.ts")).benchPost(),
  bot: async () => (await import("./bot_bench.ts")).benchBot(),
  "start-up": async (origin) => (await import("./startup_bench.ts")).benchStartUp(origin),
  page: async () => (await import("./page_bench.ts")).benchPage(),
};
