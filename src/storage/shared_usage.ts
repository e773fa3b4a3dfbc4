import type { StoredUsageRow, UsageReader } from "./usage.ts";

/** The table that several installations share. */
export interface SharedUsage extends UsageReader {
  /** Names this very table: another one, or the same one created anew, has another. */
  readonly storeId: string;
  /**
   * Adds rows; those whose id is there already stay as they are. All have arrived when it returns.
   * @throws SharedUsageError
   */
  insert(rows: readonly StoredUsageRow[]): Promise<void>;
  /** How many of these ids it has. @throws SharedUsageError */
  countKnown(ids: readonly string[]): Promise<number>;
  close(): Promise<void>;
}
