-- What goes with a rate: base fees and largest HTLCs.

-- What modules set, with what was there before the first of them did. Written before the node is asked.
CREATE TABLE channel_terms (
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    term TEXT NOT NULL CHECK (term IN ('base_fee', 'htlc_max')),
    -- The module whose value is in force.
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    before_msat INTEGER NOT NULL,
    -- What was asked for last, and by which module; the node may have allowed less.
    asked_by BLOB NOT NULL CHECK (length(asked_by) = 32),
    asked_msat INTEGER NOT NULL,
    set_msat INTEGER NOT NULL,
    PRIMARY KEY (channel_id, term)
) STRICT, WITHOUT ROWID;

-- Null: not known, or nothing was named.
ALTER TABLE fee_decisions ADD COLUMN old_base_msat INTEGER;
ALTER TABLE fee_decisions ADD COLUMN old_htlc_max_msat INTEGER;
ALTER TABLE fee_decisions ADD COLUMN proposed_base_msat INTEGER;
ALTER TABLE fee_decisions ADD COLUMN proposed_htlc_max_msat INTEGER;
ALTER TABLE fee_decisions ADD COLUMN approved_base_msat INTEGER;
ALTER TABLE fee_decisions ADD COLUMN approved_htlc_max_msat INTEGER;

-- The largest HTLC that was set with the rate; null: it was left as it was.
ALTER TABLE fee_changes ADD COLUMN htlc_max_msat INTEGER;

-- What goes with the rates of both; null: left as it is, or nothing wanted.
ALTER TABLE trial_differences ADD COLUMN in_force_base_msat INTEGER;
ALTER TABLE trial_differences ADD COLUMN on_trial_base_msat INTEGER;
ALTER TABLE trial_differences ADD COLUMN in_force_htlc_max_msat INTEGER;
ALTER TABLE trial_differences ADD COLUMN on_trial_htlc_max_msat INTEGER;
