-- Fees of payments to ourselves by time, read from the index alone: a year of them would otherwise be
-- looked up one by one.

DROP INDEX rebalances_by_time;
CREATE INDEX rebalances_by_time ON rebalances (completed_at_s, in_channel, fee_msat);
