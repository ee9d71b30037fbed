-- Installed modules, their parameters, and what they did on trial.

CREATE TABLE installed_modules (
    name TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    decides TEXT NOT NULL CHECK (decides IN ('fee', 'rebalance')),
    version TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('verified', 'shadow', 'canary', 'active', 'superseded')),
    stage_since_s INTEGER NOT NULL,
    installed_at_s INTEGER NOT NULL,
    stands_for TEXT NOT NULL,
    -- A JSON array of node ids.
    signers TEXT NOT NULL,
    manifest TEXT,
    -- Canaries: since when, bounds, and the channels as a JSON array.
    canary_since_s INTEGER,
    canary_channels TEXT,
    max_revenue_fall_pct REAL,
    max_refusals_pct REAL,
    min_hours INTEGER,
    min_forwards INTEGER,
    PRIMARY KEY (name, digest)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_in_force ON installed_modules (stands_for, decides) WHERE stage = 'active';
CREATE UNIQUE INDEX one_canary ON installed_modules (stands_for, decides) WHERE stage = 'canary';

-- Every step of a module's life.
CREATE TABLE module_events (
    id INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest BLOB CHECK (length(digest) = 32),
    action TEXT NOT NULL,
    by TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX module_events_by_name ON module_events (name, id);

-- Parameters that an operator set, as JSON.
CREATE TABLE module_params (
    name TEXT NOT NULL,
    param TEXT NOT NULL,
    value TEXT NOT NULL,
    set_at_s INTEGER NOT NULL,
    PRIMARY KEY (name, param)
) STRICT, WITHOUT ROWID;

-- One decision of a module on trial, against what the module in force decided.
CREATE TABLE trial_runs (
    id INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    -- Null where no cycle was recorded.
    cycle_id INTEGER,
    name TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    stage TEXT NOT NULL,
    channels INTEGER NOT NULL,
    -- Channels for which both want the same, and the others.
    same INTEGER NOT NULL,
    differing INTEGER NOT NULL,
    -- Sum of the differences, ppm of fee rate or msat of amount.
    difference INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    fuel INTEGER,
    took_us INTEGER NOT NULL,
    fault_code TEXT,
    fault_text TEXT
) STRICT;
CREATE INDEX trial_runs_by_digest ON trial_runs (digest, at_s);

CREATE TABLE trial_differences (
    run_id INTEGER NOT NULL REFERENCES trial_runs (id) ON DELETE CASCADE,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    -- What each wants: a fee rate in ppm, or an amount to move in msat; null for nothing.
    in_force INTEGER,
    on_trial INTEGER,
    reason TEXT NOT NULL,
    -- The guard's word on what the module on trial wants.
    verdict TEXT NOT NULL,
    PRIMARY KEY (run_id, channel_id)
) STRICT, WITHOUT ROWID;
