import assert from "node:assert/strict";
import { assertLinear } from "./linear.ts";

let spent = 0;

function spend(steps: number): void {
  for (let step = 0; step < steps; step++) spent = (spent + step) % 1021;
}

Deno.test("assertLinear() lets linear work pass, and refuses quadratic work by its name", () => {
  assertLinear("linear", 2000, (length) => spend(length));
  assert.throws(() => assertLinear("quadratic", 400, (length) => spend(length * length)), /quadratic: 8 times/);
});
