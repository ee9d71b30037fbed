-- Who wanted a fee is kept with the decision: where the answer was lost, its change is booked later.

ALTER TABLE fee_decisions ADD COLUMN origin TEXT NOT NULL DEFAULT 'strategy'
    CHECK (origin IN ('strategy', 'policy', 'operator', 'external'));
UPDATE fee_decisions SET origin = 'policy' WHERE outcome = 'unknown' AND strategy IN ('static', 'hive');
UPDATE fee_decisions SET origin = 'operator' WHERE outcome = 'unknown'
    AND cycle_id IN (SELECT id FROM fee_cycles WHERE trigger = 'operator');
