/** A run of its own that adds to a ledger: `ledger_writer.ts FILE ORIGIN COUNT`. */
import { createLog } from "../../src/core/log.ts";
import { createLedger } from "../../src/privacy/ledger.ts";

const [path = "", origin = "", count = "0"] = Deno.args;
for (let at = 0; at < Number(count); at++) {
  // A new ledger each time, because the first request to an origin is written at once.
  using ledger = createLedger({ path, log: createLog() });
  ledger.sent(origin, 2);
  ledger.received(origin, 3);
}
