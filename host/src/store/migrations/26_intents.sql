-- What a module is about to set stands beside what it set: a write that fails leaves what was asked before as it is.

CREATE TABLE terms_with_intents (
    channel_id BLOB NOT NULL CHECK (length(channel_id) = 32),
    term TEXT NOT NULL CHECK (term IN ('base_fee', 'htlc_max')),
    -- What was there before the first module set one.
    before_msat INTEGER NOT NULL,
    -- The module whose value is in force, what it asked for, and what the node allowed; null until one is.
    digest BLOB CHECK (length(digest) = 32),
    asked_msat INTEGER CHECK ((asked_msat IS NULL) = (digest IS NULL)),
    set_msat INTEGER CHECK ((set_msat IS NULL) = (digest IS NULL)),
    -- What the node is asked for, or was without a known answer, and by which module.
    next_by BLOB CHECK (length(next_by) = 32),
    next_msat INTEGER CHECK ((next_msat IS NULL) = (next_by IS NULL)),
    CHECK (digest IS NOT NULL OR next_by IS NOT NULL),
    PRIMARY KEY (channel_id, term)
) STRICT, WITHOUT ROWID;

-- Whether the node allowed less than was asked for, or never was asked, is not told apart in older rows: it is
-- asked once more.
INSERT INTO terms_with_intents
SELECT channel_id, term, before_msat,
    iif(set_msat = before_msat, NULL, digest), iif(set_msat = before_msat, NULL, set_msat),
    iif(set_msat = before_msat, NULL, set_msat),
    iif(asked_msat = set_msat, NULL, asked_by), iif(asked_msat = set_msat, NULL, asked_msat)
FROM channel_terms WHERE set_msat <> before_msat OR asked_msat <> set_msat;
DROP TABLE channel_terms;
ALTER TABLE terms_with_intents RENAME TO channel_terms;
