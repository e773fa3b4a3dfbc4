/** A name server that writes down what it is asked (RFC 1035, over UDP). */
import dgram from "node:dgram";
import { once } from "node:events";

export interface FakeDns extends AsyncDisposable {
  /** Every name it was asked for, in lower case, with the type of record: `A example.org`. */
  readonly questions: string[];
}

const TYPES: Readonly<Record<number, string>> = { 1: "A", 28: "AAAA" };
const HEADER_BYTES = 12;

/**
 * Starts a name server on port 53 of `address`. It knows the IPv4 addresses of `hosts`, and has `otherwise` for every
 * other name, so that whoever asks goes on to connect.
 */
export async function startFakeDns(
  address: string,
  hosts: Readonly<Record<string, string>>,
  otherwise: string,
): Promise<FakeDns> {
  const questions: string[] = [];
  const socket = dgram.createSocket("udp4");
  socket.on("message", (message, asker) => {
    const { name, type, end } = readQuestion(message);
    questions.push(`${TYPES[type] ?? type} ${name}`);
    const found = type === 1 ? hosts[name] ?? otherwise : undefined;
    socket.send(answer(message.subarray(0, end), found), asker.port, asker.address);
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return {
    questions,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

function readQuestion(message: Uint8Array): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  const type = (message[at + 1] ?? 0) << 8 | (message[at + 2] ?? 0);
  return { name: labels.join(".").toLowerCase(), type, end: at + 5 };
}

/** The question with its answer; with none, the name exists and has no such record. */
function answer(question: Uint8Array, address: string | undefined): Uint8Array {
  const record = address === undefined ? [] : [
    ...[0xc0, HEADER_BYTES], // the name of the question
    ...[0, 1, 0, 1, 0, 0, 0, 60, 0, 4], // type A, class IN, a minute, four bytes
    ...address.split(".").map(Number),
  ];
  const reply = new Uint8Array([...question, ...record]);
  reply.set([0x81, 0x80, 0, 1, 0, address === undefined ? 0 : 1, 0, 0, 0, 0], 2);
  return reply;
}
