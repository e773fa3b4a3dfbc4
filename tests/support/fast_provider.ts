/** The fast fake of Ollama (`fast_ollama.ts`) for the program to talk to. */
import { type ScriptServer, startScriptServer } from "./script.ts";

/** Starts it in a process of its own. */
export function startFastOllama(): Promise<ScriptServer> {
  return startScriptServer("support/fast_ollama.ts");
}

/** A models.json for it, with as many models as are wanted, that many calls may ask at once. */
export function configFor(origin: string, models = 1) {
  const others = Array.from({ length: models - 1 }, (_, at) => [`model-${at}`, { context: 8192, vision: at % 2 > 0 }]);
  return {
    profile: "local",
    providers: {
      ollama: {
        type: "ollama",
        base_url: origin,
        max_concurrent: 256,
        models: { bench: { context: 131_072 }, ...Object.fromEntries(others) },
      },
    },
    fallback_chain: ["ollama/bench"],
    profiles: { local: { local_only: true } },
  };
}
