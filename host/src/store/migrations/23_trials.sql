-- One file may be on trial under two names, or decide in both worlds: each installation has trials of its own.

ALTER TABLE trial_runs ADD COLUMN decides TEXT NOT NULL DEFAULT 'fee' CHECK (decides IN ('fee', 'rebalance'));
UPDATE trial_runs SET decides = 'rebalance' WHERE EXISTS (
    SELECT 1 FROM installed_modules m
    WHERE m.name = trial_runs.name AND m.digest = trial_runs.digest AND m.decides = 'rebalance');
DROP INDEX trial_runs_by_digest;
CREATE INDEX trial_runs_by_module ON trial_runs (name, digest, decides, at_s);
