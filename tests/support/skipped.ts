/**
 * Whether tests are to be skipped, for their `ignore`; then it also says why. The reasons themselves say nothing, as
 * `deno task bench` and its like, which may need the same, have words of their own for it.
 * @param missing what the tests need and is not here; undefined when it is
 */
export function skipped(missing: string | undefined): boolean {
  if (missing !== undefined) console.warn(`tests are skipped: ${missing}`);
  return missing !== undefined;
}
