/** A real PostgreSQL server of the test's own: its own folder, port and user, gone when the test is over. */
import postgres, { type Sql } from "postgres";
import { freePort } from "./free_port.ts";
import { childrenOf } from "./processes.ts";

const USER = "agent";
/** No test may ever find this in what the program shows. */
export const PASSWORD = "p@ss/w0rd#never-to-be-shown";
/** A server refuses to run as root; this user owns nothing and exists everywhere. */
const NOBODY = 65534;

export interface Cluster extends AsyncDisposable {
  readonly port: number;
  /** Creates a database and gives its URL, the password in it. */
  createDatabase(): Promise<string>;
  /** Runs SQL in a database, as its owner, past the program. */
  query<T = Record<string, unknown>>(url: string, sql: string): Promise<T[]>;
  /** Starts it again after `stop`. */
  start(): Promise<void>;
  /** `fast` hangs up on everybody, `kill` is a crash. */
  stop(how: "fast" | "kill"): Promise<void>;
  /** Lets it be silent, connections open, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** A certificate for localhost and 127.0.0.1, in PEM; TLS is on. */
  readonly certificate: string;
}

/** Why there is no PostgreSQL here; undefined when there is one. */
export const postgresMissing: string | undefined = await whyMissing();

async function whyMissing(): Promise<string | undefined> {
  const missing = [];
  if (await binaries() === undefined) missing.push("PostgreSQL (Debian: postgresql)");
  if (await run("openssl", ["version"]) === undefined) missing.push("openssl");
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

/** The folder of the server's own programs, which is on nobody's path. */
async function binaries(): Promise<string | undefined> {
  const folder = (await run("pg_config", ["--bindir"]))?.trim();
  return folder !== undefined && await run(`${folder}/initdb`, ["--version"]) !== undefined ? folder : undefined;
}

/** What a command prints; undefined when it is not there or fails. */
async function run(command: string, args: string[], options: Deno.CommandOptions = {}): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null", ...options }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Creates and starts a server; about a second. */
export async function startCluster(): Promise<Cluster> {
  const bin = await binaries();
  if (bin === undefined) throw new Error("There is no PostgreSQL here");
  const folder = await Deno.makeTempDir({ prefix: "django-agent-pg-" });
  const identity = Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const own = { cwd: folder, clearEnv: true, env: { PATH: Deno.env.get("PATH") ?? "", LC_ALL: "C" }, ...identity };
  if (Deno.uid() === 0) await Deno.chown(folder, NOBODY, NOBODY);
  await Deno.writeTextFile(`${folder}/password`, PASSWORD);
  const initialised = await run(`${bin}/initdb`, [
    ...["-D", `${folder}/data`, "-U", USER, "-A", "scram-sha-256", "--pwfile", `${folder}/password`],
    ...["-E", "UTF8", "--no-locale", "-N"],
  ], own);
  if (initialised === undefined) throw new Error("initdb failed");
  const certificate = await createCertificate(folder, own);
  // In the file and not on the command line, so that a test can switch it off with ALTER SYSTEM.
  await Deno.writeTextFile(`${folder}/data/postgresql.conf`, "\nssl = on\n", { append: true });
  const server = new Server(bin, folder, freePort(), own);
  await server.start();
  let databases = 0;
  return {
    port: server.port,
    certificate,
    start: () => server.start(),
    stop: (how) => server.stop(how),
    freeze: () => server.signal("SIGSTOP"),
    thaw: () => server.signal("SIGCONT"),
    async createDatabase() {
      const name = `usage_${++databases}`;
      await server.query("postgres", (sql) => sql.unsafe(`CREATE DATABASE ${name}`));
      return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/${name}`;
    },
    query: (url, text) => server.query(new URL(url).pathname.slice(1), (sql) => sql.unsafe(text)) as never,
    async [Symbol.asyncDispose]() {
      await server.stop("kill");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Signed by itself, for localhost and 127.0.0.1. */
async function createCertificate(folder: string, own: Deno.CommandOptions): Promise<string> {
  const made = await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ...["-keyout", "data/server.key", "-out", "data/server.crt"],
  ], own);
  if (made === undefined) throw new Error("openssl failed");
  return await Deno.readTextFile(`${folder}/data/server.crt`);
}

class Server {
  #child: Deno.ChildProcess | undefined;

  constructor(
    readonly bin: string,
    readonly folder: string,
    readonly port: number,
    readonly own: Deno.CommandOptions,
  ) {}

  async start(): Promise<void> {
    this.#child = new Deno.Command(`${this.bin}/postgres`, {
      args: [
        ...["-D", `${this.folder}/data`, "-p", `${this.port}`, "-h", "127.0.0.1", "-k", this.folder],
        ...["-c", "fsync=off", "-c", "max_connections=20"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      ...this.own,
    }).spawn();
    for (let tries = 0;; tries++) {
      try {
        await this.query("postgres", (sql) => sql`SELECT 1`);
        return;
      } catch (error) {
        if (tries === 300) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async stop(how: "fast" | "kill"): Promise<void> {
    if (!this.#child) return;
    this.signal("SIGCONT");
    // SIGQUIT ends it and all of its children without a word, as a crash does; SIGKILL would leave the children.
    this.signal(how === "fast" ? "SIGINT" : "SIGQUIT");
    await this.#child.status;
    this.#child = undefined;
  }

  /** A stopped postmaster still has children that answer: all of them get the signal. */
  signal(signal: Deno.Signal): void {
    const parent = this.#child?.pid;
    if (parent === undefined) return;
    for (const pid of [parent, ...childrenOf(parent)]) {
      try {
        Deno.kill(pid, signal);
      } catch {
        // It has ended meanwhile.
      }
      if (signal === "SIGINT" || signal === "SIGQUIT") return; // the parent passes these on
    }
  }

  async query<T>(database: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = postgres({
      host: "127.0.0.1",
      port: this.port,
      user: USER,
      password: PASSWORD,
      database,
      max: 1,
      fetch_types: false,
      onnotice: () => {},
    });
    try {
      return await work(sql);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}
