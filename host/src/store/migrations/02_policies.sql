-- What the operator wants: a policy per peer, and settings changed at run time.

CREATE TABLE policies (
    peer_id BLOB PRIMARY KEY CHECK (length(peer_id) = 33),
    strategy TEXT NOT NULL,
    rebalance_mode TEXT NOT NULL,
    fee_ppm_target INTEGER,
    -- A JSON array of texts.
    tags TEXT NOT NULL,
    updated_at_s INTEGER NOT NULL,
    fee_multiplier_min REAL,
    fee_multiplier_max REAL,
    expires_at_s INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX policies_by_expiry ON policies (expires_at_s) WHERE expires_at_s IS NOT NULL;

-- The latest change per peer. A row whose policy is gone is a tombstone.
CREATE TABLE policy_changes (
    peer_id BLOB PRIMARY KEY CHECK (length(peer_id) = 33),
    cursor INTEGER NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('set', 'deleted', 'expired')),
    changed_at_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE config_overrides (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
