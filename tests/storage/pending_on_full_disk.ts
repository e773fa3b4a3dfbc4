/**
 * Adds rows to a pending file until the disk is full, then once more after there is room: `pending_on_full_disk.ts
 * FOLDER`. Prints, as JSON, what came of it.
 */
import { pendingIds, storeIn } from "../support/local_store.ts";
import { usageRow } from "../support/usage_rows.ts";

const [folder = ""] = Deno.args;
const { pending } = storeIn(folder);
const ballast = `${folder}/ballast`;
Deno.writeFileSync(ballast, new Uint8Array(8192));
const added: string[] = [];
const errors: string[] = [];
/** Adds three rows at once. */
function append(): boolean {
  const rows = [usageRow(), usageRow(), usageRow()];
  try {
    pending.append(rows);
  } catch (error) {
    errors.push(String(error));
    return false;
  }
  added.push(...rows.map(({ id }) => id));
  return true;
}
while (append());
const whileFull = pendingIds(pending);
append();
append();
Deno.removeSync(ballast);
const again = append();
console.log(JSON.stringify({ added, errors, whileFull, again, afterwards: pendingIds(pending) }));
