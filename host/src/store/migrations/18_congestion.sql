-- Whether congestion that the host saw raised a rate beyond one step. Of earlier changes nothing but the
-- strategy's word is known, so that they come down step by step.

ALTER TABLE fee_changes ADD COLUMN from_congestion INTEGER NOT NULL DEFAULT 0 CHECK (from_congestion IN (0, 1));
ALTER TABLE fee_decisions ADD COLUMN from_congestion INTEGER NOT NULL DEFAULT 0 CHECK (from_congestion IN (0, 1));
