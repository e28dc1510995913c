-- What a list wishes for its people beside being called: who is first, by which agent, and at which further numbers; and
-- an import that goes on where it was killed.

ALTER TABLE campaign ADD COLUMN importing TEXT;                 -- how far an import has come that is not finished, as JSON

ALTER TABLE lead ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;    -- the higher the sooner, before the first attempt
ALTER TABLE lead ADD COLUMN agent_id TEXT NOT NULL DEFAULT '';      -- the agent who is to call; '': any
ALTER TABLE lead ADD COLUMN further TEXT NOT NULL DEFAULT '[]';     -- further numbers and their zones, in order, as JSON

-- Most lists wish nothing, and pay nothing for those that do: their leads stand in one index, the others in two.
DROP INDEX lead_queued;
CREATE INDEX lead_queued ON lead (campaign_id, due_at, id) WHERE state = 'queued' AND priority = 0 AND agent_id = '';
CREATE INDEX lead_wished ON lead (campaign_id, priority, agent_id, due_at, id)
    WHERE state = 'queued' AND (priority <> 0 OR agent_id <> '');
CREATE INDEX lead_wished_due ON lead (campaign_id, due_at) WHERE state = 'queued' AND (priority <> 0 OR agent_id <> '');

-- Further numbers that leads went on to, since the API refused those before: each is its lead's, and nobody else's.
CREATE TABLE further_number (
    campaign_id INTEGER NOT NULL REFERENCES campaign(id),
    phone       TEXT NOT NULL,
    lead_id     INTEGER NOT NULL REFERENCES lead(id),
    PRIMARY KEY (campaign_id, phone)
) STRICT, WITHOUT ROWID;
CREATE INDEX further_number_of ON further_number (lead_id);
