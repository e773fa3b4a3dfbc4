/** The program as `deno task compile` puts it into the binary, without the base runtime, which has to be downloaded. */
import project from "../../deno.json" with { type: "json" };
import { deriveCompileFlags } from "../../src/compile.ts";
import { ROOT_FOLDER } from "./paths.ts";

/** Bundles and minifies the program into `file`, as the binary has it. */
export async function buildPayload(file: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", "--minify", "-o", file, "main.ts"],
    cwd: ROOT_FOLDER,
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  if (!success) throw new Error(`Cannot bundle: ${new TextDecoder().decode(stderr)}`);
}

/** The words that start it under the permissions of a binary, built with `--cloud` or without, before its arguments. */
export function payloadCommand(file: string, { cloud }: { readonly cloud: boolean }): string[] {
  const baked = deriveCompileFlags(project.permissions.default, { cloud })
    .filter((flag) => /^--(allow-|deny-|no-prompt|ignore-env|v8-flags)/.test(flag));
  return [Deno.execPath(), "run", "-q", "--no-config", ...baked, file];
}
