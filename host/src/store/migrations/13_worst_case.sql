-- Payments of a job that can settle at most, late ones counted in.
ALTER TABLE rebalance_jobs ADD COLUMN most_payments INTEGER NOT NULL DEFAULT 0;
UPDATE rebalance_jobs SET most_payments = amount_msat / payment_msat + 1;
