-- What fees were in force, what they brought, and who decided them why.

-- Stretches of constant rate. A channel has at most one running (end_s null).
CREATE TABLE fee_intervals (
    id INTEGER PRIMARY KEY,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    start_s INTEGER NOT NULL,
    end_s INTEGER,
    fee_ppm INTEGER NOT NULL,
    base_msat INTEGER NOT NULL,
    live_s INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0,
    failed_liquidity INTEGER NOT NULL DEFAULT 0,
    failed_downstream INTEGER NOT NULL DEFAULT 0,
    out_msat INTEGER NOT NULL DEFAULT 0,
    earned_msat INTEGER NOT NULL DEFAULT 0,
    -- The latest look at the channel, and whether it was usable then.
    sampled_s INTEGER NOT NULL,
    sampled_live INTEGER NOT NULL CHECK (sampled_live IN (0, 1))
) STRICT;
CREATE INDEX fee_intervals_by_channel ON fee_intervals (channel_id, start_s);
CREATE INDEX fee_intervals_by_start ON fee_intervals (start_s);
CREATE UNIQUE INDEX fee_intervals_running ON fee_intervals (channel_id) WHERE end_s IS NULL;

-- Every change of a rate, whoever made it.
CREATE TABLE fee_changes (
    id INTEGER PRIMARY KEY,
    changed_at_s INTEGER NOT NULL,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    scid INTEGER,
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 33),
    old_ppm INTEGER NOT NULL,
    new_ppm INTEGER NOT NULL,
    base_msat INTEGER NOT NULL,
    reason TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('strategy', 'policy', 'operator', 'external'))
) STRICT;
CREATE INDEX fee_changes_by_channel ON fee_changes (channel_id);
CREATE INDEX fee_changes_by_time ON fee_changes (changed_at_s);

CREATE TABLE feerates (
    read_at_s INTEGER PRIMARY KEY,
    perkb INTEGER NOT NULL
) STRICT;

CREATE TABLE fee_cycles (
    id INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    inputs_digest BLOB CHECK (length(inputs_digest) = 32),
    channels INTEGER NOT NULL,
    proposals INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    note TEXT
) STRICT;
CREATE INDEX fee_cycles_by_time ON fee_cycles (at_s);

-- One call of a strategy's module in a cycle.
CREATE TABLE cycle_modules (
    cycle_id INTEGER NOT NULL REFERENCES fee_cycles (id) ON DELETE CASCADE,
    strategy TEXT NOT NULL,
    digest BLOB CHECK (length(digest) = 32),
    version TEXT NOT NULL,
    fuel INTEGER,
    took_us INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    fault_code TEXT,
    fault_text TEXT,
    -- The strategy that decided instead, after a fault.
    fallback TEXT
) STRICT;
CREATE INDEX cycle_modules_by_cycle ON cycle_modules (cycle_id);
CREATE INDEX cycle_modules_by_digest ON cycle_modules (digest, cycle_id);

CREATE TABLE fee_decisions (
    cycle_id INTEGER NOT NULL REFERENCES fee_cycles (id) ON DELETE CASCADE,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    scid INTEGER,
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 33),
    strategy TEXT NOT NULL,
    digest BLOB CHECK (length(digest) = 32),
    old_ppm INTEGER NOT NULL,
    proposed_ppm INTEGER,
    reason TEXT NOT NULL,
    -- JSON arrays of [name, value] pairs.
    factors TEXT NOT NULL,
    limits TEXT NOT NULL,
    verdict TEXT NOT NULL,
    verdict_text TEXT,
    approved_ppm INTEGER,
    outcome TEXT,
    outcome_text TEXT,
    PRIMARY KEY (cycle_id, channel_id)
) STRICT;
CREATE INDEX fee_decisions_by_channel ON fee_decisions (channel_id, cycle_id);

-- What a strategy remembers of a channel, with the host's last word on it.
CREATE TABLE strategy_states (
    strategy TEXT NOT NULL,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    state_version INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    last_verdict TEXT NOT NULL,
    last_proposed_ppm INTEGER,
    updated_at_s INTEGER NOT NULL,
    PRIMARY KEY (strategy, channel_id)
) STRICT;

CREATE TABLE strategy_node_states (
    strategy TEXT PRIMARY KEY NOT NULL,
    state_version INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    updated_at_s INTEGER NOT NULL
) STRICT;
