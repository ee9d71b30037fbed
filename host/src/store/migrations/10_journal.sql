-- Calls of strategies' modules, each with all that is needed to make it again.

CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('fee', 'rebalance')),
    -- A number in fee_cycles or rebalance_cycles, which may be forgotten before or after this.
    cycle_id INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    at_s INTEGER NOT NULL,
    module BLOB NOT NULL CHECK (length(module) = 32),
    class TEXT NOT NULL,
    -- Version of the bytes, and of the program that wrote them.
    format INTEGER NOT NULL,
    program TEXT NOT NULL,
    input_digest BLOB NOT NULL CHECK (length(input_digest) = 32),
    input_bytes INTEGER NOT NULL,
    -- Null after a fault.
    decision_digest BLOB CHECK (length(decision_digest) = 32),
    decision_bytes INTEGER NOT NULL,
    fault_code TEXT,
    fuel INTEGER,
    -- The call whose input and decision are the prefix against which this one is compressed; null: none.
    base_id INTEGER REFERENCES journal (id),
    packed_bytes INTEGER NOT NULL,
    -- Input, then decision, as one zstd frame.
    packed BLOB NOT NULL,
    CHECK ((decision_digest IS NULL) = (fault_code IS NOT NULL))
) STRICT;
CREATE INDEX journal_by_cycle ON journal (kind, cycle_id);
CREATE INDEX journal_by_time ON journal (at_s, packed_bytes);
CREATE INDEX journal_by_base ON journal (base_id, packed_bytes);
-- The calls that stand for themselves: which modules are needed, and what the next call is compressed against.
CREATE INDEX journal_whole ON journal (module, kind, strategy, id) WHERE base_id IS NULL;
