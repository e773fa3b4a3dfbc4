import assert from "node:assert/strict";
import { type AgentEvent, createEventBus } from "../../src/core/events.ts";

const WARNING = { code: "auth", message: "The key was refused", remedy: "Check it." };

function createBus() {
  const failures: unknown[] = [];
  return { bus: createEventBus({ onListenerError: (error) => failures.push(error) }), failures };
}

Deno.test("EventBus.emit() tells every listener, in the order they came", () => {
  const { bus } = createBus();
  const seen: [string, AgentEvent][] = [];
  for (const name of ["first", "second"]) bus.subscribe((event) => seen.push([name, event]));
  bus.emit("system.warning", WARNING);
  const event = { name: "system.warning", data: WARNING };
  assert.deepEqual(seen, [["first", event], ["second", event]]);
});

Deno.test("EventBus.emit() is not disturbed by a listener that throws, and neither are the others", () => {
  const { bus, failures } = createBus();
  const fault = new Error("a fault of the listener");
  let told = 0;
  bus.subscribe(() => told++);
  bus.subscribe(() => {
    throw fault;
  });
  bus.subscribe(() => told++);
  bus.emit("system.warning", WARNING);
  bus.emit("system.warning", WARNING);
  assert.equal(told, 4);
  assert.deepEqual(failures, [fault, fault]);
});

Deno.test("EventBus.subscribe() returns what ends the subscription, also from inside the listener", () => {
  const { bus } = createBus();
  const seen: string[] = [];
  const leave = bus.subscribe(() => {
    seen.push("once");
    leave();
  });
  bus.subscribe(() => seen.push("always"));
  bus.emit("system.warning", WARNING);
  bus.emit("system.warning", WARNING);
  assert.deepEqual(seen, ["once", "always", "always"]);
});
