import project from "../../deno.json" with { type: "json" };

/** What stands between `deno` and `main.ts` in the task that runs the program. */
export function taskFlags(): string[] {
  const words = project.tasks.agent.command.split(" ");
  return words.slice(words.indexOf("deno") + 1, words.indexOf("main.ts"));
}
