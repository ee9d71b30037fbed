-- Whose decisions were in force where and when, by the digest of the module.

-- A stretch in which one module decided about one channel while that had one capacity. Those of a channel
-- never overlap; at most one of them runs (to_s null).
CREATE TABLE tenures (
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    from_s INTEGER NOT NULL,
    to_s INTEGER CHECK (to_s > from_s),
    strategy TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    capacity_msat INTEGER NOT NULL,
    PRIMARY KEY (channel_id, from_s)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tenures_running ON tenures (channel_id) WHERE to_s IS NULL;

-- What modules that were ever used call their version.
CREATE TABLE module_versions (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    version TEXT NOT NULL,
    first_used_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The evaluator's module that proposed the job; null: an operator's, or not known.
ALTER TABLE rebalance_jobs ADD COLUMN evaluator_digest BLOB CHECK (length(evaluator_digest) = 32);
