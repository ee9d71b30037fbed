-- Which payments can be a job's is told by the order of events, not by a clock that somebody may set.

-- The order in which payments came into these books; 0: imported, and nobody's.
ALTER TABLE rebalances ADD COLUMN entry INTEGER NOT NULL DEFAULT 0;
-- lightningd's own number for the payment, which rises from one to the next; null where it told none.
ALTER TABLE rebalances ADD COLUMN created_index INTEGER;
-- When it came into these books, on the scale that only passing time moves.
ALTER TABLE rebalances ADD COLUMN booked_s INTEGER NOT NULL DEFAULT 0;

UPDATE rebalances SET booked_s = completed_at_s;
UPDATE rebalances SET entry = ordered.entry
    FROM (SELECT payment_hash, groupid, partid, row_number() OVER (ORDER BY completed_at_s, payment_hash, groupid, partid) AS entry
          FROM rebalances
          WHERE payment_hash NOT IN (SELECT payment_hash FROM imported_rebalances WHERE payment_hash IS NOT NULL)) AS ordered
    WHERE rebalances.payment_hash = ordered.payment_hash AND rebalances.groupid = ordered.groupid
        AND rebalances.partid = ordered.partid;
CREATE INDEX rebalances_by_entry ON rebalances (entry);
CREATE INDEX rebalances_by_created_index ON rebalances (created_index) WHERE created_index IS NOT NULL;
-- Those that may yet become a job's.
CREATE INDEX rebalances_free ON rebalances (entry) WHERE job_id IS NULL;

-- The last payment in the books when the job's money was reserved, and the highest number that lightningd
-- had told by then: those up to there are not the job's. The same when it was settled: those beyond are not.
ALTER TABLE rebalance_jobs ADD COLUMN after_entry INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rebalance_jobs ADD COLUMN after_index INTEGER;
ALTER TABLE rebalance_jobs ADD COLUMN last_entry INTEGER;
ALTER TABLE rebalance_jobs ADD COLUMN last_index INTEGER;
-- When sling had forgotten it, on the scale that only passing time moves.
ALTER TABLE rebalance_jobs ADD COLUMN stopped_steady_s INTEGER;
UPDATE rebalance_jobs SET stopped_steady_s = stopped_at_s;

-- Earlier jobs go by the clock. For one that is not settled it may have been set back since: by a day, and
-- by what was noted.
UPDATE rebalance_jobs SET
    after_entry = coalesce((SELECT entry FROM rebalances
        WHERE entry > 0 AND completed_at_s < rebalance_jobs.reserved_at_s - 1 - iif(rebalance_jobs.state = 'settled', 0,
            86400 + coalesce((SELECT value FROM cursors WHERE name = 'clock.back_s'), 0))
        ORDER BY completed_at_s DESC, entry DESC LIMIT 1), 0),
    last_entry = iif(state = 'settled', coalesce((SELECT entry FROM rebalances
        WHERE entry > 0 AND completed_at_s <= rebalance_jobs.settled_at_s
        ORDER BY completed_at_s DESC, entry DESC LIMIT 1), 0), NULL);

-- Costs of rebalances count by when they were booked.
CREATE INDEX rebalances_by_booking ON rebalances (booked_s) WHERE job_id IS NOT NULL;
INSERT INTO cursors (name, value)
SELECT 'clock.jumped_steady_s', value FROM cursors WHERE name = 'clock.jumped_at_s';
