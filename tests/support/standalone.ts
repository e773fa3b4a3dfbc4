/**
 * Makes this process take itself for the binary until it is disposed of: `Deno.build` is frozen, so `Deno` itself is
 * replaced by one that inherits all the rest.
 */
export function actAsBinary(): Disposable {
  const real = Deno;
  const build = { value: { ...real.build, standalone: true } };
  Object.defineProperty(globalThis, "Deno", { value: Object.create(real, { build }), configurable: true });
  return {
    [Symbol.dispose]() {
      Object.defineProperty(globalThis, "Deno", { value: real, configurable: true });
    },
  };
}
