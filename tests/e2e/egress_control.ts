/** A program that leaves this machine in every way that a test has to notice. Run as a process by that test. */
import dgram from "node:dgram";
import { lookup } from "node:dns/promises";

const { address } = await lookup("somewhere.example", { family: 4 });
// Nobody answers these: the attempt is all there will be.
const attempts = [address, "192.0.2.7", "2001:db8::1"].map((hostname) =>
  Deno.connect({ hostname, port: 80 }).catch(() => {})
);
const socket = dgram.createSocket("udp4");
await new Promise((sent) => socket.send("Hola", 9, "192.0.2.8", sent));
await Deno.connect({ transport: "unix", path: "/nowhere/resolver" }).catch(() => {});
// The system is asked in this moment, on a thread of its own; whether it ever answers is all the same.
await Promise.race([Promise.all(attempts), new Promise((resolve) => setTimeout(resolve, 500))]);
Deno.exit(0);
