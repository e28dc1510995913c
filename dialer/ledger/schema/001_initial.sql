-- The ledger of one workspace: all campaigns, their contacts, every attempt, and the journal of what happened.
-- Times are UTC seconds. The CHECK constraints repeat the law of dialer/core/lifecycle.py.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE campaign (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    file        TEXT NOT NULL,
    source      TEXT NOT NULL,             -- the campaign file as it was last run
    digest      TEXT NOT NULL,
    columns     TEXT NOT NULL DEFAULT '[]',-- headers of the list, as JSON, in their order
    understood  TEXT NOT NULL DEFAULT '[]',-- those of them that are not metadata: phone, names, time zone
    intake      INTEGER NOT NULL DEFAULT 0,-- number of the last import
    list_digest TEXT NOT NULL DEFAULT '',  -- of the files that import read
    created_at  REAL NOT NULL
) STRICT;

-- What the list said of a person. Never changed once an attempt was made.
CREATE TABLE contact (
    id          INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign(id),
    phone       TEXT NOT NULL CHECK (phone GLOB '+[1-9]*'),
    file        TEXT NOT NULL,
    row_number  INTEGER NOT NULL,
    first_name  TEXT,
    last_name   TEXT,
    cells       TEXT NOT NULL,             -- the row as a JSON object, header to cell
    intake      INTEGER NOT NULL,          -- the import that last saw this row
    UNIQUE (campaign_id, phone)
) STRICT;

-- Rows of the list that are not contacts, with the reason.
CREATE TABLE rejected (
    id          INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign(id),
    intake      INTEGER NOT NULL,
    file        TEXT NOT NULL,
    row_number  INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    raw         TEXT NOT NULL
) STRICT;

CREATE TABLE lead (
    id          INTEGER PRIMARY KEY REFERENCES contact(id),
    campaign_id INTEGER NOT NULL REFERENCES campaign(id),
    phone       TEXT NOT NULL,
    zone        TEXT,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'dialing', 'waiting', 'reached', 'exhausted', 'rejected',
                                               'unresolved', 'suppressed', 'cancelled')),
    due_at      REAL,
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),    -- charged ones
    submissions INTEGER NOT NULL DEFAULT 0 CHECK (submissions >= attempts),
    disposition TEXT,
    reason      TEXT NOT NULL DEFAULT '',
    CHECK (state NOT IN ('queued', 'waiting') OR due_at IS NOT NULL),
    CHECK (state <> 'queued' OR attempts = 0),
    CHECK (state NOT IN ('waiting', 'dialing', 'reached', 'unresolved', 'exhausted') OR attempts > 0)
) STRICT;

-- Claiming stays flat from ten thousand to ten million rows only on partial indices.
CREATE INDEX lead_queued  ON lead (campaign_id, due_at, id) WHERE state = 'queued';
CREATE INDEX lead_waiting ON lead (campaign_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX lead_zone    ON lead (campaign_id, zone, due_at) WHERE state IN ('queued', 'waiting');

CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,      -- sent along with the create
    campaign_id INTEGER NOT NULL REFERENCES campaign(id),
    lead_id     INTEGER NOT NULL REFERENCES lead(id),
    number      INTEGER NOT NULL,          -- counts the lead's attempts, void ones too
    phone       TEXT NOT NULL,
    agent_id    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('intended', 'placed', 'ended', 'void', 'uncertain', 'lost')),
    intended_at REAL NOT NULL,
    gave_up_at  REAL,
    placed_at   REAL,
    created_at  REAL,                      -- the API's clock
    ended_at    REAL,                      -- the API's clock where it says, else when the end was noticed
    call_id     TEXT UNIQUE,
    status      TEXT NOT NULL DEFAULT '',
    disposition TEXT,
    duration_s  REAL,
    sentiment   TEXT,
    cost        REAL,
    code        TEXT NOT NULL DEFAULT '',
    reason      TEXT NOT NULL DEFAULT '',
    CHECK (state NOT IN ('placed', 'ended') OR call_id IS NOT NULL),
    CHECK (state <> 'uncertain' OR gave_up_at IS NOT NULL),
    CHECK (state <> 'ended' OR disposition IS NOT NULL),
    CHECK (state <> 'void' OR call_id IS NULL),
    UNIQUE (lead_id, number)
) STRICT;

-- The law of laws: one open call per number, whatever campaign it belongs to.
CREATE UNIQUE INDEX attempt_open ON attempt (phone) WHERE state IN ('intended', 'placed', 'uncertain');
CREATE INDEX attempt_open_of ON attempt (campaign_id) WHERE state IN ('intended', 'placed', 'uncertain');

-- The journal: append-only, written in the transaction of what it tells.
CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    at          REAL NOT NULL,
    kind        TEXT NOT NULL,
    campaign_id INTEGER,
    lead_id     INTEGER,
    attempt     TEXT,
    data        TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- Requests of each day (UTC), for the API's daily quota.
CREATE TABLE spent (
    account  TEXT NOT NULL,
    day      INTEGER NOT NULL,             -- days since 1970-01-01
    requests INTEGER NOT NULL,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;
