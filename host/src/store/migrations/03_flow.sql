-- Forwards as the node records them, and their sums.

CREATE TABLE forwards (
    in_scid INTEGER NOT NULL,
    in_htlc_id INTEGER NOT NULL,
    out_scid INTEGER,
    in_msat INTEGER NOT NULL,
    out_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    -- 0 offered, 1 failed here, 2 failed further down, 3 settled. A row only
    -- ever moves to a higher one.
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    received_ms INTEGER NOT NULL,
    resolved_ms INTEGER,
    failcode INTEGER,
    PRIMARY KEY (in_scid, in_htlc_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX forwards_by_time ON forwards (received_ms);

-- Sums of resolved forwards by the UTC hour in which they were received. The
-- scid is the one that the forward names; channel_names tells whose it is.
CREATE TABLE flow_hours (
    hour_s INTEGER NOT NULL,
    scid INTEGER NOT NULL,
    in_msat INTEGER NOT NULL,
    out_msat INTEGER NOT NULL,
    in_count INTEGER NOT NULL,
    out_count INTEGER NOT NULL,
    earned_msat INTEGER NOT NULL,
    sourced_msat INTEGER NOT NULL,
    failed_liquidity INTEGER NOT NULL,
    failed_downstream INTEGER NOT NULL,
    failed_other INTEGER NOT NULL,
    PRIMARY KEY (hour_s, scid)
) STRICT, WITHOUT ROWID;

-- The same sums over all time, and when a forward last settled.
CREATE TABLE flow_totals (
    scid INTEGER PRIMARY KEY,
    in_msat INTEGER NOT NULL,
    out_msat INTEGER NOT NULL,
    in_count INTEGER NOT NULL,
    out_count INTEGER NOT NULL,
    earned_msat INTEGER NOT NULL,
    sourced_msat INTEGER NOT NULL,
    failed_liquidity INTEGER NOT NULL,
    failed_downstream INTEGER NOT NULL,
    failed_other INTEGER NOT NULL,
    last_in_s INTEGER,
    last_out_s INTEGER
) STRICT;

-- The latest flow analysis of each channel.
CREATE TABLE flow_states (
    channel_id BLOB PRIMARY KEY CHECK (length(channel_id) = 32),
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 33),
    class TEXT NOT NULL,
    flow_ratio REAL NOT NULL,
    window_in_msat INTEGER NOT NULL,
    window_out_msat INTEGER NOT NULL,
    window_days INTEGER NOT NULL,
    capacity_msat INTEGER NOT NULL,
    confidence REAL NOT NULL,
    velocity REAL NOT NULL,
    ema_decay REAL NOT NULL,
    forward_count INTEGER NOT NULL,
    last_forward_s INTEGER,
    updated_at_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
