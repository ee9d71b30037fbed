-- What channels earned and cost, what became of them, and what the node owned when.

-- Sums of resolved forwards by the UTC day in which they were received: the columns of flow_hours,
-- kept for ever. The rows of forwards may go, these stay.
CREATE TABLE flow_days (
    day_s INTEGER NOT NULL,
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
    PRIMARY KEY (day_s, scid)
) STRICT, WITHOUT ROWID;

INSERT INTO flow_days
SELECT hour_s - hour_s % 86400, scid, sum(in_msat), sum(out_msat), sum(in_count), sum(out_count),
    sum(earned_msat), sum(sourced_msat), sum(failed_liquidity), sum(failed_downstream), sum(failed_other)
FROM flow_hours GROUP BY 1, 2;

-- The same sums by month: 30 UTC days, counted from 1970-01-01. A year's window would read a row per
-- channel and day without them.
CREATE TABLE flow_months (
    month_s INTEGER NOT NULL,
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
    PRIMARY KEY (month_s, scid)
) STRICT, WITHOUT ROWID;

INSERT INTO flow_months
SELECT day_s - day_s % 2592000, scid, sum(in_msat), sum(out_msat), sum(in_count), sum(out_count),
    sum(earned_msat), sum(sourced_msat), sum(failed_liquidity), sum(failed_downstream), sum(failed_other)
FROM flow_days GROUP BY 1, 2;

-- Forwards that failed, by the day they were received, the channel that they should have left by (the
-- one they came in by when none was chosen), and the BOLT 4 failure code; 0 when none was told.
CREATE TABLE failure_days (
    day_s INTEGER NOT NULL,
    scid INTEGER NOT NULL,
    -- 1: failed at this node, 0: further down the route.
    local INTEGER NOT NULL CHECK (local IN (0, 1)),
    failcode INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day_s, scid, local, failcode)
) STRICT, WITHOUT ROWID;

-- How a channel began and ended, and how far its on-chain costs are read.
CREATE TABLE channel_lives (
    channel_id BLOB PRIMARY KEY REFERENCES channels (channel_id) CHECK (length(channel_id) = 32),
    opened_at_s INTEGER,
    -- What each side put in, and what the opener gave the other side at once: positive when we gave it.
    local_funds_msat INTEGER,
    remote_funds_msat INTEGER,
    pushed_msat INTEGER NOT NULL DEFAULT 0,
    closed_at_s INTEGER,
    close_kind TEXT CHECK (close_kind IN ('mutual', 'local_unilateral', 'remote_unilateral', 'breach', 'unknown')),
    closer TEXT CHECK (closer IN ('local', 'remote')),
    close_cause TEXT,
    closing_txid BLOB CHECK (length(closing_txid) = 32),
    -- Our side of the last commitment.
    final_to_us_msat INTEGER,
    -- What lightningd itself told of the price of leased liquidity: positive when we paid it.
    lease_msat INTEGER NOT NULL DEFAULT 0,
    -- Of the last commitment, or mutual close, that we could have published.
    last_commitment_txid BLOB CHECK (length(last_commitment_txid) = 32),
    last_commitment_fee_msat INTEGER,
    -- What bookkeeper's events say of the close: a breach; our commitment, whose output was delayed;
    -- or money that came home at once.
    close_trace TEXT CHECK (close_trace IN ('breach', 'delayed', 'home')),
    -- unread: no record was looked at; open: read, the channel lives; closing: read, more may come;
    -- settled: read after the node resolved the close, nothing more comes.
    books TEXT NOT NULL DEFAULT 'unread' CHECK (books IN ('unread', 'open', 'closing', 'settled')),
    -- The funding transaction when the records were read: another one means a splice since.
    books_funding_txid BLOB CHECK (length(books_funding_txid) = 32),
    books_read_s INTEGER,
    -- The funding transaction now.
    funding_txid BLOB CHECK (length(funding_txid) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_lives_by_close ON channel_lives (closed_at_s) WHERE closed_at_s IS NOT NULL;

-- Every funding transaction of a channel: the first is the opening, later ones are splices.
CREATE TABLE channel_fundings (
    channel_id BLOB NOT NULL REFERENCES channels (channel_id),
    txid BLOB NOT NULL CHECK (length(txid) = 32),
    output INTEGER NOT NULL,
    capacity_msat INTEGER,
    -- Change of our side by a splice, fees left out: positive when we put in.
    local_delta_msat INTEGER,
    at_s INTEGER,
    height INTEGER,
    PRIMARY KEY (channel_id, txid)
) STRICT, WITHOUT ROWID;

-- The path of states, from the node's list and from notifications alike.
CREATE TABLE channel_state_changes (
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    at_ms INTEGER NOT NULL,
    new_state TEXT NOT NULL,
    old_state TEXT,
    cause TEXT,
    PRIMARY KEY (channel_id, at_ms, new_state)
) STRICT, WITHOUT ROWID;

-- On-chain costs, each booked once: one row per channel, kind and transaction. Signed: a gain, such as
-- a lease fee received, is negative.
CREATE TABLE costs (
    id INTEGER PRIMARY KEY,
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    kind TEXT NOT NULL CHECK (kind IN ('open', 'splice', 'close', 'sweep', 'penalty', 'lease')),
    txid BLOB CHECK (length(txid) = 32),
    msat INTEGER NOT NULL,
    at_s INTEGER NOT NULL,
    -- bookkeeper, node: a record; estimate: until a record appears; imported: the Python plugin's figure.
    source TEXT NOT NULL CHECK (source IN ('bookkeeper', 'node', 'estimate', 'imported'))
) STRICT;
CREATE UNIQUE INDEX costs_once ON costs (channel_id, kind, coalesce(txid, x''));
CREATE INDEX costs_by_time ON costs (at_s);

-- Completed payments to ourselves, one row per part. The fee is booked against the channel that was
-- filled (in_channel).
CREATE TABLE rebalances (
    payment_hash BLOB NOT NULL CHECK (length(payment_hash) = 32),
    groupid INTEGER NOT NULL,
    partid INTEGER NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    completed_at_s INTEGER NOT NULL,
    -- Null until known.
    out_channel BLOB CHECK (length(out_channel) = 32),
    in_channel BLOB CHECK (length(in_channel) = 32),
    -- Our job; null: made by another program or by hand.
    job_id INTEGER,
    -- How often, and when last, the channels were looked for in vain.
    tries INTEGER NOT NULL DEFAULT 0,
    tried_s INTEGER,
    PRIMARY KEY (payment_hash, groupid, partid)
) STRICT, WITHOUT ROWID;
CREATE INDEX rebalances_by_time ON rebalances (completed_at_s);
CREATE INDEX rebalances_unpaired ON rebalances (tries) WHERE out_channel IS NULL OR in_channel IS NULL;
CREATE INDEX rebalances_by_job ON rebalances (job_id) WHERE job_id IS NOT NULL;

-- Where payments to ourselves left and came in, as movements told it, until their rebalance is complete.
CREATE TABLE payment_sides (
    payment_hash BLOB NOT NULL CHECK (length(payment_hash) = 32),
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    side TEXT NOT NULL CHECK (side IN ('in', 'out')),
    groupid INTEGER NOT NULL DEFAULT 0,
    partid INTEGER NOT NULL DEFAULT 0,
    -- What moved, fees included.
    amount_msat INTEGER NOT NULL,
    seen_s INTEGER NOT NULL,
    PRIMARY KEY (payment_hash, side, groupid, partid, channel_id)
) STRICT, WITHOUT ROWID;

-- What the node owns, at the last look: one row.
CREATE TABLE node_funds (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at_s INTEGER NOT NULL,
    onchain_confirmed_msat INTEGER NOT NULL,
    onchain_unconfirmed_msat INTEGER NOT NULL,
    -- Part of the confirmed ones that transactions being made hold.
    onchain_reserved_msat INTEGER NOT NULL,
    blockheight INTEGER NOT NULL,
    feerate_perkb INTEGER
) STRICT;

-- Each channel that the node lists, at the last look.
CREATE TABLE channel_funds (
    channel_id BLOB PRIMARY KEY CHECK (length(channel_id) = 32),
    at_s INTEGER NOT NULL,
    state TEXT NOT NULL,
    connected INTEGER NOT NULL CHECK (connected IN (0, 1)),
    to_us_msat INTEGER NOT NULL,
    total_msat INTEGER NOT NULL,
    spendable_msat INTEGER NOT NULL,
    receivable_msat INTEGER NOT NULL,
    fee_ppm INTEGER NOT NULL,
    base_fee_msat INTEGER NOT NULL,
    -- The peer offers splices (feature bits 62/63, or older ones); null: not told.
    peer_splices INTEGER CHECK (peer_splices IN (0, 1))
) STRICT, WITHOUT ROWID;

-- One row per UTC day. What is owned adds up to the net worth of that moment. Sums are over all time up to the end of that day, or to taken_at_s.
CREATE TABLE financial_snapshots (
    day_s INTEGER PRIMARY KEY,
    -- taken: on the day; rebuilt: later, from the books, so without balances; imported.
    source TEXT NOT NULL CHECK (source IN ('taken', 'rebuilt', 'imported')),
    taken_at_s INTEGER NOT NULL,
    onchain_confirmed_msat INTEGER,
    onchain_unconfirmed_msat INTEGER,
    -- Both sides, and the capacity, of open channels.
    channels_local_msat INTEGER,
    channels_remote_msat INTEGER,
    -- Our side of channels whose funding transaction waits, and of closes that is not in the wallet yet.
    opening_msat INTEGER,
    closing_msat INTEGER,
    capacity_msat INTEGER,
    channels_open INTEGER,
    channels_closing INTEGER,
    channels_closed INTEGER,
    forward_count INTEGER NOT NULL,
    revenue_msat INTEGER NOT NULL,
    open_cost_msat INTEGER NOT NULL,
    close_cost_msat INTEGER NOT NULL,
    sweep_cost_msat INTEGER NOT NULL,
    splice_cost_msat INTEGER NOT NULL,
    penalty_cost_msat INTEGER NOT NULL,
    lease_cost_msat INTEGER NOT NULL,
    rebalance_cost_msat INTEGER NOT NULL
) STRICT;
