-- Whose signatures let modules in, modules on their way in, and the highest version of each that was let in.

CREATE TABLE trusted_signers (
    signer BLOB PRIMARY KEY CHECK (length(signer) = 33),
    label TEXT NOT NULL,
    added_at_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    -- The first 16 bytes of the manifest's SHA-256.
    upload BLOB PRIMARY KEY CHECK (length(upload) = 16),
    manifest TEXT NOT NULL,
    -- A JSON array of [signer, zbase].
    signatures TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'received', 'expired', 'aborted')),
    -- The chunks received, which are numbered from 0, and their bytes.
    chunks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    touched_at_s INTEGER NOT NULL,
    -- A JSON array of the signers that counted when it was received.
    signers TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE upload_chunks (
    upload BLOB NOT NULL REFERENCES uploads (upload) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (upload, seq)
) STRICT;

CREATE TABLE accepted_versions (
    name TEXT PRIMARY KEY,
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    accepted_at_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whom commands made trusted, and no longer.
CREATE TABLE trust_events (
    id INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('add', 'label', 'remove')),
    signer BLOB NOT NULL CHECK (length(signer) = 33),
    label TEXT NOT NULL
) STRICT;
