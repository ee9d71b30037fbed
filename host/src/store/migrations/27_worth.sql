-- What a job's amount is expected to be worth once it has arrived, before what that costs; null where nobody
-- told, as for earlier jobs.
ALTER TABLE rebalance_jobs ADD COLUMN worth_msat INTEGER;
