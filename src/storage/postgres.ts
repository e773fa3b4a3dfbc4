import type { Socket } from "node:net";
import postgres, { type Sql } from "postgres";
import type { DatabaseTarget } from "./database_url.ts";
import { AgentError } from "../core/errors.ts";
import { describePostgresError, SharedUsageError } from "./postgres_errors.ts";
import {
  ForeignTableError,
  migrateSchema,
  parseComment,
  readSchema,
  SCHEMA_VERSION,
  SELECT_COMMENT,
} from "./postgres_schema.ts";
import { openSocket } from "./postgres_socket.ts";
import { summarizeShared } from "./postgres_summary.ts";
import type { SharedUsage } from "./shared_usage.ts";
import type { StoredUsageRow, UsageQuery, UsageSummary } from "./usage.ts";

/** Counts what goes over the wire. */
export interface Traffic {
  /** A connection is about to be opened. */
  sent(origin: string, bytes: number): void;
  sentMore(origin: string, bytes: number): void;
  received(origin: string, bytes: number): void;
}

export interface ConnectOptions {
  readonly target: DatabaseTarget;
  readonly traffic: Traffic;
  /** Ends the connection at once. */
  readonly signal: AbortSignal;
  /** Creates or upgrades the schema; false only reads what is there. */
  readonly migrate: boolean;
  /** Longest wait for the connection and for each answer; default 30,000. */
  readonly timeoutMs?: number;
}

/** Rows fetched at once when all are read. */
const PAGE = 2000;

/** Types of the columns as JSON carries them; `at_ms` is turned into `at`. */
const JSON_COLUMNS = [
  "id uuid",
  "at_ms bigint",
  "instance_id uuid",
  "conversation_id text",
  "role text",
  "profile text",
  "provider text",
  "model text",
  "input_tokens bigint",
  "cached_input_tokens bigint",
  "output_tokens bigint",
  "reasoning_tokens bigint",
  "total_tokens bigint",
  "source text",
  "cost_usd double precision",
  "latency_ms integer",
  "first_token_ms integer",
  "outcome text",
  "error_kind text",
  "fallback boolean",
  "chain_position integer",
];
const NAMES = JSON_COLUMNS.map((column) => column.slice(0, column.indexOf(" ")));
const TABLE_COLUMNS = NAMES.map((name) => name === "at_ms" ? "at" : name).join(", ");
const TO_TABLE = NAMES.map((name) => name === "at_ms" ? "to_timestamp(at_ms / 1000.0)" : name).join(", ");
const FROM_TABLE = NAMES.map((name) => {
  if (name === "at_ms") return "(extract(epoch FROM at) * 1000)::float8 AS at_ms";
  return /_tokens$/.test(name) ? `${name}::float8` : name; // the driver gives a bigint as text
}).join(", ");

/**
 * One JSON parameter for all rows: twice as fast as a parameter for each value. Gives the name of the table it went to,
 * which may have been dropped and created anew since the connection was opened.
 */
const INSERT = `WITH added AS (
    INSERT INTO token_usage (${TABLE_COLUMNS}) SELECT ${TO_TABLE}
    FROM jsonb_to_recordset($1::jsonb) AS row (${JSON_COLUMNS.join(", ")}) ON CONFLICT (id) DO NOTHING
  ) ${SELECT_COMMENT}`;

/**
 * Connects to the shared table. One connection, no connection of its own accord: whoever uses it connects anew after a
 * failure.
 * @throws SharedUsageError; AgentError (exit 77) when the sandbox does not allow the connection
 */
export async function connectPostgres(options: ConnectOptions): Promise<SharedUsage> {
  const { target, migrate } = options;
  const connection = new Connection(options);
  try {
    let schema = await connection.run((sql) => readSchema(sql));
    if (migrate && schema.version < SCHEMA_VERSION) schema = await connection.run((sql) => migrateSchema(sql));
    if (schema.version > SCHEMA_VERSION) throw newerSchema(target);
    if (schema.storeId === null) throw noTable(target);
    return new PostgresUsage(connection, schema.storeId);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class PostgresUsage implements SharedUsage {
  readonly #connection: Connection;
  readonly storeId: string;

  constructor(connection: Connection, storeId: string) {
    this.#connection = connection;
    this.storeId = storeId;
  }

  async insert(rows: readonly StoredUsageRow[]): Promise<void> {
    const { storeId } = await this.#connection.run(async (sql) =>
      parseComment(await sql.unsafe(INSERT, [rows as never]))
    );
    if (storeId !== this.storeId) throw this.#connection.failure("42P01");
  }

  async countKnown(ids: readonly string[]): Promise<number> {
    const count = "SELECT count(*)::int AS known FROM token_usage WHERE id = ANY (string_to_array($1, ',')::uuid[])";
    const [row] = await this.#connection.run((sql) => sql.unsafe<{ known: number }[]>(count, [ids.join(",")]));
    return row?.known ?? 0;
  }

  async summarize(query: UsageQuery): Promise<UsageSummary> {
    return await this.#connection.run((sql) => summarizeShared(sql, query));
  }

  async *rows(sinceMs: number): AsyncGenerator<StoredUsageRow[]> {
    const page = `SELECT ${FROM_TABLE} FROM token_usage WHERE (at, id) > (to_timestamp($1 / 1000.0), $2::uuid)
      ORDER BY at, id LIMIT ${PAGE}`;
    let after = { at_ms: sinceMs, id: "00000000-0000-0000-0000-000000000000" };
    for (;;) {
      const { at_ms, id } = after;
      const rows = await this.#connection.run((sql) => sql.unsafe<StoredUsageRow[]>(page, [at_ms, id]));
      if (rows.length > 0) yield [...rows];
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) return;
      after = last;
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** One connection that counts its traffic, and ends for good when an answer takes too long or the server hangs up. */
class Connection {
  readonly #target: DatabaseTarget;
  readonly #traffic: Traffic;
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;
  readonly #sql: Sql;
  readonly #ended = new AbortController();
  #opened = false;
  #socket: Socket | undefined;
  #counted = { sent: 0, received: 0 };

  constructor({ target, traffic, signal, timeoutMs = 30_000 }: ConnectOptions) {
    this.#target = target;
    this.#traffic = traffic;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    const { host, port, user, password, database } = target;
    const options = {
      host,
      port,
      user,
      password,
      database,
      ssl: false, // the socket is encrypted already
      socket: () => this.#openSocket(), // the driver's types do not know it
      connect_timeout: timeoutMs / 1000,
      max: 1,
      prepare: false, // statements with names do not survive a pooler such as PgBouncer
      fetch_types: false,
      max_lifetime: null,
      onnotice: () => {},
      connection: { application_name: "django-agent" },
    };
    this.#sql = postgres(options);
  }

  /**
   * Runs one piece of work on the connection.
   * @throws SharedUsageError, AgentError
   */
  async run<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const ended = Promise.withResolvers<never>();
    const end = () => {
      this.#ended.abort();
      this.#socket?.destroy();
      ended.reject(this.failure("ETIMEDOUT"));
    };
    const timer = setTimeout(end, this.#timeoutMs);
    this.#signal.addEventListener("abort", end, { once: true });
    try {
      this.#signal.throwIfAborted();
      if (this.#ended.signal.aborted || this.#socket?.destroyed) throw this.failure("CONNECTION_CLOSED");
      return await Promise.race([work(this.#sql), ended.promise]);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      if (error instanceof ForeignTableError) throw foreignTable(this.#target);
      throw describePostgresError(error, this.#target);
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", end);
      this.#count();
    }
  }

  /** The error a code stands for. */
  failure(code: string): SharedUsageError {
    return describePostgresError(Object.assign(new Error(code), { code }), this.#target);
  }

  async close(): Promise<void> {
    const hangUp = () => void this.#socket?.destroy();
    this.#signal.addEventListener("abort", hangUp, { once: true });
    // On a connection that has ended the driver would wait for the answer to what was under way.
    const ended = this.#socket?.destroyed ?? true;
    await this.#sql.end({ timeout: ended ? 0 : 1 }).catch(() => {});
    this.#signal.removeEventListener("abort", hangUp);
    hangUp();
    this.#count();
  }

  /** The driver would connect anew by itself, at once and again and again where somebody accepts and hangs up. */
  async #openSocket(): Promise<Socket> {
    if (this.#opened) throw Object.assign(new Error("The connection has ended"), { code: "CONNECTION_CLOSED" });
    this.#opened = true;
    this.#socket = await openSocket(this.#target, {
      signal: this.#ended.signal,
      onConnect: () => this.#traffic.sent(this.#target.origin, 0),
    });
    return this.#socket.once("close", () => this.#ended.abort());
  }

  #count(): void {
    const { bytesWritten: sent = 0, bytesRead: received = 0 } = this.#socket ?? {};
    if (sent > this.#counted.sent) this.#traffic.sentMore(this.#target.origin, sent - this.#counted.sent);
    if (received > this.#counted.received) {
      this.#traffic.received(this.#target.origin, received - this.#counted.received);
    }
    this.#counted = { sent, received };
  }
}

function newerSchema({ origin }: DatabaseTarget): SharedUsageError {
  return new SharedUsageError("setup", `A newer version of this program uses the shared database ${origin}`, {
    remedy: "Update this one.",
  });
}

function noTable({ origin }: DatabaseTarget): SharedUsageError {
  return new SharedUsageError("away", `Nothing has been shared at ${origin} yet`, {
    remedy: "Rows are sent there by whatever asks a model while DATABASE_URL is set.",
  });
}

function foreignTable({ origin }: DatabaseTarget): SharedUsageError {
  return new SharedUsageError("setup", `The shared database ${origin} has a table token_usage of another program`, {
    remedy: "Name another database in DATABASE_URL.",
  });
}
