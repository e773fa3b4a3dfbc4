import type { Migration } from "./migrations.ts";

/** Says in the head of `memory.db` whose it is: "djgm". */
export const MEMORY_ID = 0x646a676d;

/** Ids never repeat, so that nobody takes a new passage for one that was forgotten. */
const PASSAGES = `
  -- What was learned as a whole: a file, a note. No hash: it is not all in yet.
  CREATE TABLE sources (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    hash TEXT
  ) STRICT;

  CREATE TABLE memories (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN ('learned_knowledge', 'episodic')),
    source_id       INTEGER REFERENCES sources (id) ON DELETE CASCADE,
    conversation_id TEXT,
    user_id         TEXT,
    -- Stands for the conversation in the index; empty for what was learned.
    scope           TEXT NOT NULL,
    heading         TEXT NOT NULL,
    text            TEXT NOT NULL,
    hash            TEXT NOT NULL,
    at_ms           INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX memories_by_source ON memories (source_id, hash) WHERE source_id IS NOT NULL;
  CREATE INDEX memories_by_conversation ON memories (conversation_id) WHERE conversation_id IS NOT NULL;
  CREATE INDEX memories_by_user ON memories (user_id) WHERE user_id IS NOT NULL;`;

/** Full text. */
const INDEX = `
  -- Two indexes, because those of learned passages are long, and nobody may find another's conversation. Questions are
  -- asked by the beginnings of words, which are quicker found when they are in the index of what was learned.
  CREATE VIRTUAL TABLE learned_fts USING fts5 (
    heading, text, content = 'memories', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2',
    prefix = '4 5 6 7');
  CREATE VIRTUAL TABLE episodes_fts USING fts5 (
    scope, text, content = 'memories', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2');
  -- A deleted word leaves no trace in the index (sqlite.org/fts5.html, 6.11).
  INSERT INTO learned_fts (learned_fts, rank) VALUES ('secure-delete', 1);
  INSERT INTO episodes_fts (episodes_fts, rank) VALUES ('secure-delete', 1);
  CREATE TRIGGER learned_in AFTER INSERT ON memories WHEN new.kind = 'learned_knowledge' BEGIN
    INSERT INTO learned_fts (rowid, heading, text) VALUES (new.id, new.heading, new.text);
  END;
  CREATE TRIGGER learned_out AFTER DELETE ON memories WHEN old.kind = 'learned_knowledge' BEGIN
    INSERT INTO learned_fts (learned_fts, rowid, heading, text) VALUES ('delete', old.id, old.heading, old.text);
  END;
  CREATE TRIGGER episode_in AFTER INSERT ON memories WHEN new.kind = 'episodic' BEGIN
    INSERT INTO episodes_fts (rowid, scope, text) VALUES (new.id, new.scope, new.text);
  END;
  CREATE TRIGGER episode_out AFTER DELETE ON memories WHEN old.kind = 'episodic' BEGIN
    INSERT INTO episodes_fts (episodes_fts, rowid, scope, text) VALUES ('delete', old.id, old.scope, old.text);
  END;`;

/** Vectors, and the marks by which programs learn of each other's deletions. */
const VECTORS = `
  CREATE TABLE vector_models (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    ref        TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    -- Larger for a model that was used later.
    used       INTEGER NOT NULL,
    UNIQUE (ref, dimensions)
  ) STRICT;
  -- The signs of a vector, a bit each: small enough to be kept in memory. Ordered by seq for whoever follows.
  CREATE TABLE vector_codes (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    memory_id INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    model_id  INTEGER NOT NULL REFERENCES vector_models (id) ON DELETE CASCADE,
    scope     TEXT NOT NULL,
    code      BLOB NOT NULL,
    UNIQUE (memory_id, model_id)
  ) STRICT;
  -- The vectors themselves, of length 1, as little-endian 32-bit floats; in a table of their own to be read singly.
  CREATE TABLE vectors (
    memory_id INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    model_id  INTEGER NOT NULL REFERENCES vector_models (id) ON DELETE CASCADE,
    vector    BLOB NOT NULL,
    PRIMARY KEY (memory_id, model_id)
  ) STRICT;

  -- How often anything was deleted, and how often a person wanted something forgotten: whoever keeps a part of it
  -- in memory drops that too.
  CREATE TABLE marks (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    deletions INTEGER NOT NULL,
    forgotten INTEGER NOT NULL,
    -- 1: the full-text indexes hold words of deleted passages until they are merged.
    untidy    INTEGER NOT NULL
  ) STRICT;
  INSERT INTO marks (id, deletions, forgotten, untidy) VALUES (1, 0, 0, 0);`;

/** The tables of the memory, step by step. */
export const MEMORY_MIGRATIONS: readonly Migration[] = [
  (db) => db.exec(PASSAGES + INDEX + VECTORS),
];
