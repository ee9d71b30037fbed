-- Evaluators have a memory apart from that of strategies of the same name or file, and canaries of evaluators
-- a bound on what their jobs cost.

CREATE TEMPORARY TABLE evaluators_keys AS
    SELECT 'rebalance-ev' AS key
    UNION SELECT stands_for FROM installed_modules WHERE decides = 'rebalance'
    UNION SELECT 'module:' || lower(hex(digest)) FROM installed_modules WHERE decides = 'rebalance'
    UNION SELECT evaluator FROM rebalance_calls
    UNION SELECT 'module:' || lower(hex(digest)) FROM rebalance_calls WHERE digest IS NOT NULL;
-- What both worlds wrote under one key is of the strategy that sets fees.
DELETE FROM evaluators_keys WHERE key IN (
    SELECT strategy FROM cycle_modules
    UNION SELECT 'module:' || lower(hex(digest)) FROM cycle_modules WHERE digest IS NOT NULL);
UPDATE strategy_states SET strategy = 'rebalance:' || strategy WHERE strategy IN (SELECT key FROM evaluators_keys);
UPDATE strategy_node_states SET strategy = 'rebalance:' || strategy
    WHERE strategy IN (SELECT key FROM evaluators_keys);
DROP TABLE evaluators_keys;

ALTER TABLE installed_modules ADD COLUMN max_cost_rise_pct REAL;
UPDATE installed_modules SET max_cost_rise_pct = 50 WHERE canary_since_s IS NOT NULL;
