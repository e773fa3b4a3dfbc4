import assert from "node:assert/strict";
import { createDelivery, DeliveryError } from "../../src/discord/delivery.ts";
import { deleteRequest } from "../../src/discord/webhook_request.ts";
import { parseWebhookUrl } from "../../src/discord/webhook_url.ts";

Deno.test("Delivery.deliver() sends nothing any more once the time is over", async () => {
  const address = parseWebhookUrl("https://discord.com/api/webhooks/1/token");
  assert.ok(!("problem" in address));
  const delivery = createDelivery({
    origin: address.origin,
    send: () => assert.fail("it was sent"),
    ledger: { sent: waitForLock, received: () => {} },
    timeoutMs: 10,
    signal: new AbortController().signal,
  });
  const request = await deleteRequest("2", { address, userAgent: "x" });
  await assert.rejects(delivery.deliver(request), (error) => {
    assert.ok(error instanceof DeliveryError);
    assert.deepEqual([error.exitCode, error.mayHaveArrived], [75, false]);
    return true;
  });
});

/** A ledger waits for other processes that write the same file, and nothing else goes on meanwhile. */
function waitForLock(): void {
  for (const end = performance.now() + 11; performance.now() < end;);
}
