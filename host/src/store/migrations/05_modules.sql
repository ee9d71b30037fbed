-- How often the modules of strategies failed, by the digest of the component.

CREATE TABLE module_faults (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    strategy TEXT NOT NULL,
    faults_total INTEGER NOT NULL,
    faults_in_row INTEGER NOT NULL,
    quarantined_at_s INTEGER,
    last_code TEXT NOT NULL,
    last_text TEXT NOT NULL,
    last_fault_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
