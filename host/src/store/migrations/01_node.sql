-- What the file belongs to, counters, and the channels that were ever seen.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Positions in the node's lists, and counters that must never go back.
CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
    channel_id BLOB PRIMARY KEY CHECK (length(channel_id) = 32),
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 33),
    capacity_msat INTEGER NOT NULL,
    opener TEXT NOT NULL CHECK (opener IN ('local', 'remote')),
    -- lightningd's name of the state when the channel was last seen.
    state TEXT NOT NULL,
    -- The name to show; null before there is one.
    scid INTEGER,
    first_seen_s INTEGER NOT NULL,
    last_seen_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every short channel id and alias under which the node ever named a channel.
CREATE TABLE channel_names (
    scid INTEGER PRIMARY KEY,
    channel_id BLOB NOT NULL REFERENCES channels (channel_id),
    kind TEXT NOT NULL CHECK (kind IN ('scid', 'alias')),
    first_seen_s INTEGER NOT NULL,
    last_seen_s INTEGER NOT NULL
) STRICT;
CREATE INDEX channel_names_by_channel ON channel_names (channel_id);
