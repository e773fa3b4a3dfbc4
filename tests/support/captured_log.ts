/** Everything written to the terminal, at the most talkative level, until the end of the test. */
export function captureLog(): { readonly lines: string[] } & Disposable {
  const lines: string[] = [];
  const { error, warn, log, info, debug } = console;
  const write = (...parts: unknown[]) => void lines.push(parts.map(String).join(" "));
  Object.assign(console, { error: write, warn: write, log: write, info: write, debug: write });
  const level = Deno.env.get("DJANGO_LOG_LEVEL");
  Deno.env.set("DJANGO_LOG_LEVEL", "debug");
  return {
    lines,
    [Symbol.dispose]() {
      Object.assign(console, { error, warn, log, info, debug });
      if (level === undefined) Deno.env.delete("DJANGO_LOG_LEVEL");
      else Deno.env.set("DJANGO_LOG_LEVEL", level);
    },
  };
}
