-- How often a channel's account was read, and told nothing new.

ALTER TABLE channel_lives ADD COLUMN books_tries INTEGER NOT NULL DEFAULT 0;
