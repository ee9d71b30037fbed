-- Failures under a name that no channel is known by count under one stand-in, the name 0: an onion may ask for any
-- name, and each would have sums of its own for ever.

-- Which name such a forward truly asked for, while its row is there: it may be that of a channel of ours that is not
-- known yet.
CREATE TABLE stray_forwards (
    in_channel INTEGER NOT NULL,
    htlc_id INTEGER NOT NULL,
    asked_for INTEGER NOT NULL,
    PRIMARY KEY (in_channel, htlc_id),
    FOREIGN KEY (in_channel, htlc_id) REFERENCES forwards (in_scid, in_htlc_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX stray_forwards_by_name ON stray_forwards (asked_for);

-- Names that nothing ever settled under, came in by or was sent on to.
CREATE TEMPORARY TABLE strangers (scid INTEGER PRIMARY KEY);
INSERT INTO strangers SELECT t.scid FROM flow_totals t
    WHERE t.scid <> 0 AND t.in_count = 0 AND t.out_count = 0 AND t.failed_downstream = 0
        AND t.scid NOT IN (SELECT scid FROM channel_names)
        AND NOT EXISTS (SELECT 1 FROM forwards f WHERE f.in_scid = t.scid);

INSERT INTO stray_forwards SELECT in_scid, in_htlc_id, out_scid FROM forwards
    WHERE status = 1 AND out_scid IN (SELECT scid FROM strangers);
UPDATE forwards SET out_scid = 0 WHERE (in_scid, in_htlc_id) IN (SELECT in_channel, htlc_id FROM stray_forwards);

INSERT INTO flow_hours
    SELECT hour_s, 0, 0, 0, 0, 0, 0, 0, sum(failed_liquidity), 0, sum(failed_other)
    FROM flow_hours WHERE scid IN (SELECT scid FROM strangers) GROUP BY hour_s
    ON CONFLICT (hour_s, scid) DO UPDATE SET failed_liquidity = failed_liquidity + excluded.failed_liquidity,
        failed_other = failed_other + excluded.failed_other;
INSERT INTO flow_days
    SELECT day_s, 0, 0, 0, 0, 0, 0, 0, sum(failed_liquidity), 0, sum(failed_other)
    FROM flow_days WHERE scid IN (SELECT scid FROM strangers) GROUP BY day_s
    ON CONFLICT (day_s, scid) DO UPDATE SET failed_liquidity = failed_liquidity + excluded.failed_liquidity,
        failed_other = failed_other + excluded.failed_other;
INSERT INTO flow_months
    SELECT month_s, 0, 0, 0, 0, 0, 0, 0, sum(failed_liquidity), 0, sum(failed_other)
    FROM flow_months WHERE scid IN (SELECT scid FROM strangers) GROUP BY month_s
    ON CONFLICT (month_s, scid) DO UPDATE SET failed_liquidity = failed_liquidity + excluded.failed_liquidity,
        failed_other = failed_other + excluded.failed_other;
INSERT INTO flow_totals
    SELECT 0, 0, 0, 0, 0, 0, 0, sum(failed_liquidity), 0, sum(failed_other), NULL, NULL
    FROM flow_totals WHERE scid IN (SELECT scid FROM strangers) HAVING count(*) > 0
    ON CONFLICT (scid) DO UPDATE SET failed_liquidity = failed_liquidity + excluded.failed_liquidity,
        failed_other = failed_other + excluded.failed_other;
INSERT INTO failure_days
    SELECT day_s, 0, local, failcode, sum(count)
    FROM failure_days WHERE scid IN (SELECT scid FROM strangers) GROUP BY day_s, local, failcode
    ON CONFLICT (day_s, scid, local, failcode) DO UPDATE SET count = count + excluded.count;
DELETE FROM flow_hours WHERE scid IN (SELECT scid FROM strangers);
DELETE FROM flow_days WHERE scid IN (SELECT scid FROM strangers);
DELETE FROM flow_months WHERE scid IN (SELECT scid FROM strangers);
DELETE FROM flow_totals WHERE scid IN (SELECT scid FROM strangers);
DELETE FROM failure_days WHERE scid IN (SELECT scid FROM strangers);
DROP TABLE strangers;
