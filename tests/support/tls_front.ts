/** TLS in front of a fake that speaks plain HTTP, with a certificate made for the occasion. */
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

export interface Certificate {
  /** The certificate alone, in PEM: who trusts this file trusts the names in it. */
  readonly path: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate for `names`, signed by itself, in `folder`. */
export async function createCertificate(folder: string, names: readonly string[]): Promise<Certificate> {
  const path = `${folder}/certificate.pem`;
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=fake", "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`)}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", `${folder}/key.pem`, "-out", path],
    ],
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error(`openssl failed: ${new TextDecoder().decode(stderr)}`);
  return { path, cert: await Deno.readTextFile(path), key: await Deno.readTextFile(`${folder}/key.pem`) };
}

/** Listens on port 443 of `address` and hands everything on to `port` of this machine. */
export async function startTlsFront(
  address: string,
  port: number,
  { cert, key }: Certificate,
): Promise<AsyncDisposable> {
  const open = new Set<net.Socket>();
  const server = tls.createServer({ cert, key }, (client) => {
    const behind = net.connect(port, "127.0.0.1");
    for (const [from, to] of [[client, behind], [behind, client]] as const) {
      open.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(443, address);
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
