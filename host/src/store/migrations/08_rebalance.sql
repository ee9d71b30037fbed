-- Rebalances: what was considered, what is reserved, what sling works on, and what it came to.

-- The evaluator that answers for filling the peer's channels; null: the one of the settings.
ALTER TABLE policies ADD COLUMN rebalance_strategy TEXT;

-- A job holds its reservation until it is settled. Numbers are never used twice.
CREATE TABLE rebalance_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'running', 'stopping', 'stopped', 'settled')),
    -- Null: an operator's.
    evaluator TEXT,
    forced INTEGER NOT NULL CHECK (forced IN (0, 1)),
    to_channel BLOB NOT NULL CHECK (length(to_channel) = 32),
    to_scid INTEGER NOT NULL,
    to_peer BLOB NOT NULL CHECK (length(to_peer) = 33),
    amount_msat INTEGER NOT NULL,
    payment_msat INTEGER NOT NULL,
    max_ppm INTEGER NOT NULL,
    max_hops INTEGER NOT NULL,
    keep_share REAL NOT NULL,
    keep_most_msat INTEGER NOT NULL,
    reserved_msat INTEGER NOT NULL,
    -- Spends from the fleet's own budget too.
    fleet INTEGER NOT NULL CHECK (fleet IN (0, 1)),
    -- Expected gain; null when nobody evaluated it.
    value_msat INTEGER,
    reserved_at_s INTEGER NOT NULL,
    started_at_s INTEGER,
    deadline_s INTEGER NOT NULL,
    stopped_at_s INTEGER,
    settled_at_s INTEGER,
    stop_reason TEXT,
    -- What sling last said of it.
    word TEXT,
    outcome TEXT CHECK (outcome IN ('success', 'partial', 'timeout', 'failed', 'interrupted')),
    -- Of a settled job: what its payments moved and cost.
    moved_msat INTEGER,
    fee_msat INTEGER,
    CHECK ((state = 'settled') = (settled_at_s IS NOT NULL AND outcome IS NOT NULL))
) STRICT;
CREATE INDEX rebalance_jobs_live ON rebalance_jobs (id) WHERE state <> 'settled';
CREATE INDEX rebalance_jobs_by_channel ON rebalance_jobs (to_channel, settled_at_s);
CREATE INDEX rebalance_jobs_by_end ON rebalance_jobs (settled_at_s);

CREATE TABLE rebalance_sources (
    job_id INTEGER NOT NULL REFERENCES rebalance_jobs (id),
    position INTEGER NOT NULL,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    scid INTEGER NOT NULL,
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 33),
    PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE rebalance_cycles (
    id INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    considered INTEGER NOT NULL,
    started INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    budget_msat INTEGER NOT NULL,
    spent_msat INTEGER NOT NULL,
    reserved_msat INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    -- Why nothing could be considered.
    note TEXT
) STRICT;
CREATE INDEX rebalance_cycles_by_time ON rebalance_cycles (at_s);

-- One call of an evaluator's module in a cycle.
CREATE TABLE rebalance_calls (
    cycle_id INTEGER NOT NULL REFERENCES rebalance_cycles (id) ON DELETE CASCADE,
    evaluator TEXT NOT NULL,
    digest BLOB CHECK (length(digest) = 32),
    inputs_digest BLOB CHECK (length(inputs_digest) = 32),
    version TEXT NOT NULL,
    fuel INTEGER,
    took_us INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    fault_code TEXT,
    fault_text TEXT,
    fallback TEXT
) STRICT;
CREATE INDEX rebalance_calls_by_cycle ON rebalance_calls (cycle_id);
CREATE INDEX rebalance_calls_by_digest ON rebalance_calls (digest, cycle_id);

-- Every channel that was looked at as one to fill, taken or refused.
CREATE TABLE rebalance_candidates (
    cycle_id INTEGER NOT NULL REFERENCES rebalance_cycles (id) ON DELETE CASCADE,
    to_channel BLOB NOT NULL CHECK (length(to_channel) = 32),
    to_name TEXT NOT NULL,
    -- JSON array of the names of the channels to take from, the best first.
    sources TEXT NOT NULL,
    -- Who wanted, or did not want it: an evaluator, or `operator`.
    decider TEXT NOT NULL,
    amount_msat INTEGER,
    max_ppm INTEGER,
    value_msat INTEGER,
    cost_msat INTEGER,
    success REAL,
    -- The decider's own word, and its numbers as a JSON array of [name, value] pairs.
    reason TEXT NOT NULL,
    factors TEXT NOT NULL,
    -- JSON array of sentences: what the guard left out or made smaller.
    limits TEXT NOT NULL,
    -- started, dry_run, not_wanted, or the code of the refusal.
    verdict TEXT NOT NULL,
    verdict_text TEXT,
    job_id INTEGER,
    PRIMARY KEY (cycle_id, to_channel)
) STRICT, WITHOUT ROWID;

-- How forwards that a channel name handed us ended, each weighing less the older it is.
CREATE TABLE sender_counts (
    scid INTEGER PRIMARY KEY,
    settled REAL NOT NULL,
    failed REAL NOT NULL
) STRICT;
