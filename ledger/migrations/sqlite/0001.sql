-- entry is what was hashed. The other columns are for searching, and are taken from it: verify compares them.
CREATE TABLE holdfast_entries (
  seq         INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL, -- microseconds since 1970
  kind        TEXT NOT NULL,
  object_kind TEXT,
  object_name TEXT,
  namespace   TEXT,
  uid         TEXT,
  policy_kind TEXT,
  policy      TEXT,
  rule        TEXT,
  actor       TEXT,
  remediation TEXT,
  entry       TEXT NOT NULL,
  hash        BLOB NOT NULL
) STRICT;

-- One for each question, in the order of the answer. What an entry does not have is NULL, and in no index.
CREATE INDEX holdfast_entries_at          ON holdfast_entries (at, seq);
CREATE INDEX holdfast_entries_kind        ON holdfast_entries (kind, at, seq);
CREATE INDEX holdfast_entries_object      ON holdfast_entries (object_name, at, seq) WHERE object_name IS NOT NULL;
CREATE INDEX holdfast_entries_namespace   ON holdfast_entries (namespace, at, seq) WHERE namespace IS NOT NULL;
CREATE INDEX holdfast_entries_policy      ON holdfast_entries (policy, at, seq) WHERE policy IS NOT NULL;
CREATE INDEX holdfast_entries_actor       ON holdfast_entries (actor, at, seq) WHERE actor IS NOT NULL;
CREATE INDEX holdfast_entries_remediation ON holdfast_entries (remediation, at, seq) WHERE remediation IS NOT NULL;

-- The last entry, and the last that was cut off.
CREATE TABLE holdfast_head (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  chain     TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  hash      BLOB NOT NULL,
  base_seq  INTEGER NOT NULL,
  base_hash BLOB NOT NULL
) STRICT;
