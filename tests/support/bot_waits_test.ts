import assert from "node:assert/strict";
import { untilRead } from "./bot_waits.ts";
import { BOT_TOKEN, startFakeGateway } from "./fake_gateway.ts";
import { until } from "./rig.ts";

Deno.test("untilRead() waits for the heartbeat after the last event, not for one that comes by itself", async () => {
  await using discord = await startFakeGateway();
  const socket = new WebSocket(`ws://127.0.0.1:${discord.port}/gateway`);
  let lastSequence = 0;
  let wasAsked = false;
  const send = (op: number, d: unknown) => socket.send(JSON.stringify({ op, d }));
  socket.onmessage = ({ data }) => {
    const { op, s } = JSON.parse(data);
    lastSequence = s ?? lastSequence;
    if (op === 10) send(2, { token: `Bot ${BOT_TOKEN}`, shard: [0, 1] });
    if (op === 1) wasAsked = true;
  };
  await until(() => lastSequence > 0); // it is READY
  let isRead = false;
  const read = untilRead(discord).then(() => isRead = true);
  send(1, 1);
  await until(() => wasAsked && discord.received(1).length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20)); // for whoever looks at what has come
  assert.equal(isRead, false);
  send(1, lastSequence);
  await read;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.onclose = () => resolve();
  socket.close();
  await closed;
});
