import { inNamespace } from "./script.ts";

/** Why no script can have a file system of its own here; undefined when one can. */
export const namespacesMissing: string | undefined = await whyMissing();

async function whyMissing(): Promise<string | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "django-agent-" });
  try {
    const [command = "", ...args] = [...inNamespace(folder, "size=64k"), "true"];
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    return success ? undefined : `no file system of its own: ${new TextDecoder().decode(stderr).trim()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "there is no unshare (Debian: util-linux)";
    throw error;
  } finally {
    await Deno.remove(folder);
  }
}
