-- HTLCs with which sling still used a channel when a job's worst case was reserved: where it puts up with more
-- by now, more can settle. Not known of earlier jobs.
ALTER TABLE rebalance_jobs ADD COLUMN most_htlcs INTEGER NOT NULL DEFAULT 0;
