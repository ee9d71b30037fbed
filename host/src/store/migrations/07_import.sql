-- What came over from the Python plugin's database, once, in one transaction.
--
-- Nothing that the node still knows is counted from here. Three rules see to that:
--   days: only those before the UTC day of the first settled forward that the node listed when the
--     import was made. They stand in flow_days and flow_totals too, where every sum finds them, and no
--     forward of the node can fall into them any more.
--   rebalances: only those before the first completed payment that the node listed then. Each stands in
--     rebalances too, under a payment_hash that is the SHA-256 of its number here (groupid and partid 0).
--   costs: they stand in costs with source 'imported' until the channel's records are read; the triggers
--     below take them out again then. A channel that the node no longer lists has as channel_id the SHA-256
--     of its scid, and its costs stay.

CREATE TABLE imports (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    -- SHA-256 of the file and of the log beside it.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    imported_at_s INTEGER NOT NULL,
    -- Channels that the file names, and how many of them are this node's.
    channels INTEGER NOT NULL,
    channels_ours INTEGER NOT NULL,
    -- Where the node's own record began; null: it had none.
    first_forward_s INTEGER,
    first_payment_s INTEGER
) STRICT;

-- What became of the file's rows.
CREATE TABLE import_counts (
    import_id INTEGER NOT NULL REFERENCES imports (id),
    part TEXT NOT NULL,
    -- known: the node's own record counts instead.
    outcome TEXT NOT NULL CHECK (outcome IN ('taken', 'known', 'skipped')),
    -- Empty for what was taken.
    why TEXT NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (import_id, part, outcome, why)
) STRICT, WITHOUT ROWID;

-- What was added to flow_days. The scid 0x0x0 holds what the file does not tell by channel.
CREATE TABLE imported_days (
    day_s INTEGER NOT NULL,
    scid INTEGER NOT NULL,
    in_msat INTEGER NOT NULL,
    out_msat INTEGER NOT NULL,
    in_count INTEGER NOT NULL,
    out_count INTEGER NOT NULL,
    earned_msat INTEGER NOT NULL,
    sourced_msat INTEGER NOT NULL,
    PRIMARY KEY (day_s, scid)
) STRICT, WITHOUT ROWID;

-- Every cost that the file tells of.
CREATE TABLE imported_costs (
    id INTEGER PRIMARY KEY,
    scid TEXT NOT NULL,
    -- As in costs. Null: of a channel that a splice has renamed since, whose records the node has.
    channel_id BLOB CHECK (length(channel_id) = 32),
    kind TEXT NOT NULL CHECK (kind IN ('open', 'splice', 'close', 'sweep', 'penalty')),
    txid BLOB CHECK (length(txid) = 32),
    msat INTEGER NOT NULL CHECK (msat > 0),
    at_s INTEGER NOT NULL
) STRICT;

-- Every attempt that the file tells of. Fees are mostly the highest allowed, not what was paid: the
-- Python plugin could not read them.
CREATE TABLE imported_rebalances (
    id INTEGER PRIMARY KEY,
    from_scid TEXT,
    to_scid TEXT,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER,
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    at_s INTEGER NOT NULL,
    -- Its row in rebalances; null: it cost nothing, or the node's own record counts.
    payment_hash BLOB CHECK (length(payment_hash) = 32)
) STRICT;

-- What the file says of closed channels, to look at: its figures are counted from the other tables.
CREATE TABLE imported_closed_channels (
    scid TEXT PRIMARY KEY,
    -- Null: the node no longer lists the channel.
    channel_id BLOB CHECK (length(channel_id) = 32),
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 33),
    capacity_msat INTEGER NOT NULL,
    opened_at_s INTEGER,
    closed_at_s INTEGER NOT NULL,
    close_kind TEXT NOT NULL CHECK (close_kind IN ('mutual', 'local_unilateral', 'remote_unilateral', 'breach', 'unknown')),
    closer TEXT,
    closing_txid BLOB CHECK (length(closing_txid) = 32),
    open_cost_msat INTEGER NOT NULL,
    closure_cost_msat INTEGER NOT NULL,
    rebalance_cost_msat INTEGER NOT NULL,
    revenue_msat INTEGER NOT NULL,
    forward_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Once the channel's records are read, they are all there is: where they hold no cost, there was none.
CREATE TRIGGER imported_costs_end_by_books AFTER UPDATE OF books ON channel_lives
WHEN NEW.books <> 'unread'
BEGIN
    DELETE FROM costs WHERE channel_id = NEW.channel_id AND source = 'imported';
END;
CREATE TRIGGER imported_costs_end_by_new_books AFTER INSERT ON channel_lives
WHEN NEW.books <> 'unread'
BEGIN
    DELETE FROM costs WHERE channel_id = NEW.channel_id AND source = 'imported';
END;
