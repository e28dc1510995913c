-- What recovery needs beside the rows of 001: whose clock and account an attempt was made under, and by which version
-- of the campaign file; and a journal without phone numbers, since a copy of it lies in a file of its own.

ALTER TABLE campaign ADD COLUMN version INTEGER NOT NULL DEFAULT 1;    -- counts the changes of the campaign file
ALTER TABLE campaign ADD COLUMN walking_since REAL;                    -- the walk over the list that is not finished

ALTER TABLE attempt ADD COLUMN config INTEGER NOT NULL DEFAULT 1;      -- the campaign's version when it was intended
ALTER TABLE attempt ADD COLUMN account TEXT NOT NULL DEFAULT '';       -- a fingerprint of key and address
ALTER TABLE attempt ADD COLUMN skew_low REAL;                          -- the API's clock minus ours when it was intended,
ALTER TABLE attempt ADD COLUMN skew_high REAL;                         -- at least and at most; NULL: nothing was known

DROP TRIGGER event_no_update;
UPDATE event SET data = json_remove(data, '$.phone') WHERE json_extract(data, '$.phone') IS NOT NULL;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- What a probe or a run has learnt of an account: one JSON object for each.
CREATE TABLE learned (
    account TEXT NOT NULL,
    topic   TEXT NOT NULL,
    at      REAL NOT NULL,
    data    TEXT NOT NULL,
    PRIMARY KEY (account, topic)
) STRICT, WITHOUT ROWID;
