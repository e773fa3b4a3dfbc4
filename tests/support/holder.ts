/** A process of its own that prints its id, and then takes and lets go what it is told to, a line each. */
const held: Disposable[] = [];
let bytes: Uint8Array | undefined;
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

const told = new Uint8Array(64);
// Reading takes a descriptor of its own in Deno: it begins before anything is printed, lest a look come in between.
let reading = Deno.stdin.read(told);
console.log(Deno.pid);
for (let length = await reading; length !== null; length = await reading) {
  const what = new TextDecoder().decode(told.subarray(0, length)).trim();
  switch (what) {
    case "files":
      for (let count = 0; count < 10; count++) held.push(await Deno.open(new URL(import.meta.url)));
      break;
    case "sockets":
      for (let count = 0; count < 5; count++) {
        held.push(...await Promise.all([Deno.connect({ port: listener.addr.port }), listener.accept()]));
      }
      break;
    case "memory":
      bytes = new Uint8Array(100e6).fill(1);
      break;
    case "close":
      for (const each of held.splice(0)) each[Symbol.dispose]();
  }
  reading = Deno.stdin.read(told);
  console.log(what);
}
void bytes;
