-- People are recognised by their number and, where a list has one, by a key of its own: beside another number it is still
-- the same person.

ALTER TABLE contact ADD COLUMN key TEXT;       -- NULL: the list has none
CREATE INDEX contact_key ON contact (campaign_id, key) WHERE key IS NOT NULL;
