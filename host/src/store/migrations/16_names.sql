-- A module that is on trial, or was in force, remembers by the name that it has there, not by its file alone.

CREATE TEMPORARY TABLE owners AS
    SELECT CASE decides WHEN 'fee' THEN '' ELSE 'rebalance:' END || 'module:' || lower(hex(digest)) AS key,
        min(name) AS name
    FROM installed_modules GROUP BY 1
    -- What a built-in module remembered when another took its place.
    UNION SELECT strategy, CASE WHEN strategy LIKE 'rebalance:%' THEN 'rebalance-ev' ELSE 'dynamic' END
    FROM (SELECT strategy FROM strategy_states UNION SELECT strategy FROM strategy_node_states)
    WHERE strategy LIKE '%module:%' AND strategy NOT IN (
        SELECT CASE decides WHEN 'fee' THEN '' ELSE 'rebalance:' END || 'module:' || lower(hex(digest))
        FROM installed_modules);
UPDATE strategy_states SET strategy = strategy || ':' || (SELECT name FROM owners WHERE key = strategy)
    WHERE strategy IN (SELECT key FROM owners);
UPDATE strategy_node_states SET strategy = strategy || ':' || (SELECT name FROM owners WHERE key = strategy)
    WHERE strategy IN (SELECT key FROM owners);
DROP TABLE owners;
