import { createHash } from "node:crypto";
import type { Realm } from "./memory.ts";

/** Stands for a realm in the indexes: empty for what was learned, one word a conversation otherwise. */
export function scopeOf(realm: Realm): string {
  if (realm.kind === "learned_knowledge") return "";
  return `c${createHash("sha256").update(realm.conversation_id).digest("hex").slice(0, 16)}`;
}
