import type { Sql } from "postgres";

/** The advisory lock that lets one installation at a time look after the schema. */
const LOCK = "hashtext('django-agent token_usage')";

/** One step of the shared schema. Never changed once released: the next step is a new one. */
const STEPS: readonly string[] = [
  `CREATE TABLE token_usage (
     id                  uuid PRIMARY KEY,
     at                  timestamptz NOT NULL,
     instance_id         uuid NOT NULL,
     conversation_id     text,
     role                text NOT NULL,
     profile             text NOT NULL,
     provider            text NOT NULL,
     model               text NOT NULL,
     input_tokens        bigint NOT NULL,
     cached_input_tokens bigint NOT NULL,
     output_tokens       bigint NOT NULL,
     reasoning_tokens    bigint NOT NULL,
     total_tokens        bigint NOT NULL,
     source              text NOT NULL,
     cost_usd            double precision,
     latency_ms          integer NOT NULL,
     first_token_ms      integer,
     outcome             text NOT NULL,
     error_kind          text,
     fallback            boolean NOT NULL,
     chain_position      integer NOT NULL
   );
   CREATE INDEX token_usage_at ON token_usage (at)`,
];

export interface SchemaState {
  /** 0 when there is no table yet. */
  readonly version: number;
  /** Null when there is no table yet. */
  readonly storeId: string | null;
}

/** The version this program knows. */
export const SCHEMA_VERSION = STEPS.length;

/**
 * Version and name of the table stand in its comment, so they go when it goes. No row when there is no table. Not
 * `to_regclass`: it answers from a cache, which knows nothing yet of a table created while we waited for the lock.
 */
export const SELECT_COMMENT = `SELECT description AS comment
  FROM pg_catalog.pg_class AS found
  LEFT JOIN pg_catalog.pg_description ON objoid = found.oid AND classoid = 'pg_catalog.pg_class'::regclass AND objsubid = 0
  WHERE relname = 'token_usage' AND pg_catalog.pg_table_is_visible(found.oid)`;

/** What is there. @throws ForeignTableError */
export async function readSchema(sql: Sql): Promise<SchemaState> {
  return parseComment(await sql.unsafe(SELECT_COMMENT));
}

/** What the rows of `SELECT_COMMENT` say. @throws ForeignTableError */
export function parseComment([row]: readonly { readonly comment?: string | null }[]): SchemaState {
  if (!row) return { version: 0, storeId: null };
  const [, version, storeId] = /^django-agent schema (\d+), store ([0-9a-f-]{36})$/.exec(row.comment ?? "") ?? [];
  if (version === undefined || storeId === undefined) throw new ForeignTableError();
  return { version: Number(version), storeId };
}

/** There is a table of that name which this program did not create. */
export class ForeignTableError extends Error {}

/**
 * Brings the schema to this program's version, one installation at a time. `sql` must be one connection, and be closed
 * when this fails: nothing has changed then. The driver's own `begin` would send ROLLBACK into a connection that has
 * ended, and throw where nobody can catch it.
 */
export async function migrateSchema(sql: Sql): Promise<SchemaState> {
  // At a stricter level what another installation created while we waited for the lock would be seen in part only.
  await sql.unsafe("BEGIN ISOLATION LEVEL READ COMMITTED");
  await sql.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`);
  const found = await readSchema(sql);
  const state = found.version < SCHEMA_VERSION ? await upgrade(sql, found) : found;
  await sql.unsafe("COMMIT");
  return state;
}

async function upgrade(sql: Sql, { version, storeId }: SchemaState): Promise<SchemaState> {
  for (const step of STEPS.slice(version)) await sql.unsafe(step);
  const name = storeId ?? crypto.randomUUID();
  await sql.unsafe(`COMMENT ON TABLE token_usage IS 'django-agent schema ${SCHEMA_VERSION}, store ${name}'`);
  return { version: SCHEMA_VERSION, storeId: name };
}
