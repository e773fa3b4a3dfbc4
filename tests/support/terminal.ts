/** A test that needs a terminal, which not every system can make; the name of one that is skipped says why. */
export function onTerminal(name: string, fn: () => Promise<void>): void {
  const missing = Deno.build.os !== "linux" || !hasScript();
  Deno.test({ name: missing ? `${name} (skipped: \`script\` of util-linux is missing)` : name, ignore: missing, fn });
}

function hasScript(): boolean {
  const { success, stdout } = new Deno.Command("sh", { args: ["-c", "script --version"] }).outputSync();
  return success && new TextDecoder().decode(stdout).includes("util-linux");
}
