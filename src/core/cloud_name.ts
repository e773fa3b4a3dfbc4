/**
 * True for the names under which Ollama (since 0.17.6) runs a model in its own cloud, without a pull and without
 * asking: the last tag is `cloud` or ends in `-cloud`, or the name itself ends so; case does not matter.
 */
export function isOllamaCloudName(model: string): boolean {
  return /[:-]cloud$/i.test(model.trim().replace(/:latest$/i, ""));
}
