-- Ends of one payment that differ in what moved, or in nothing, are each kept.

CREATE TABLE payment_ends (
    payment_hash BLOB NOT NULL CHECK (length(payment_hash) = 32),
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    side TEXT NOT NULL CHECK (side IN ('in', 'out')),
    groupid INTEGER NOT NULL DEFAULT 0,
    partid INTEGER NOT NULL DEFAULT 0,
    -- What moved, fees included.
    amount_msat INTEGER NOT NULL,
    seen_s INTEGER NOT NULL,
    -- Of ends that are alike in all the rest, where they were told together; from 0 on.
    number INTEGER NOT NULL,
    PRIMARY KEY (payment_hash, side, groupid, partid, channel_id, amount_msat, number)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_ends SELECT payment_hash, channel_id, side, groupid, partid, amount_msat, seen_s, 0 FROM payment_sides;
DROP TABLE payment_sides;
ALTER TABLE payment_ends RENAME TO payment_sides;
