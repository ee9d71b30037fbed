-- When a module was about to set something: what nothing came of is no intent for ever.

ALTER TABLE channel_terms ADD COLUMN next_at INTEGER;
