-- A module that can do both fails in one world and does well in the other: its faults are counted by world.

CREATE TABLE faults_by_world (
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    decides TEXT NOT NULL CHECK (decides IN ('fee', 'rebalance')),
    strategy TEXT NOT NULL,
    faults_total INTEGER NOT NULL,
    faults_in_row INTEGER NOT NULL,
    quarantined_at_s INTEGER,
    last_code TEXT NOT NULL,
    last_text TEXT NOT NULL,
    last_fault_s INTEGER NOT NULL,
    PRIMARY KEY (digest, decides)
) STRICT, WITHOUT ROWID;
-- What nobody knows to be an evaluator's counts for what sets fees, as it did first.
INSERT INTO faults_by_world (digest, decides, strategy, faults_total, faults_in_row, quarantined_at_s, last_code,
    last_text, last_fault_s)
SELECT digest,
    CASE WHEN digest IN (SELECT digest FROM cycle_modules WHERE digest IS NOT NULL) THEN 'fee'
        WHEN digest IN (SELECT digest FROM rebalance_calls WHERE digest IS NOT NULL) THEN 'rebalance'
        ELSE coalesce((SELECT max(decides) FROM installed_modules i WHERE i.digest = module_faults.digest), 'fee') END,
    strategy, faults_total, faults_in_row, quarantined_at_s, last_code, last_text, last_fault_s
FROM module_faults;
DROP TABLE module_faults;
ALTER TABLE faults_by_world RENAME TO module_faults;
