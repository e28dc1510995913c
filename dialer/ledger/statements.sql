-- Every statement of the SQLite ledger, by name. A guarded update names the states it may leave: it must touch one row.

-- :name claim_waiting
SELECT lead.id, lead.phone, lead.state, lead.due_at, lead.attempts, lead.submissions, lead.disposition, lead.zone,
       contact.first_name, contact.last_name, contact.cells,
       EXISTS (SELECT 1 FROM attempt WHERE attempt.phone = lead.phone AND attempt.state IN ('intended', 'placed', 'uncertain')),
       lead.agent_id, lead.further
FROM lead JOIN contact ON contact.id = lead.id
WHERE lead.campaign_id = :campaign AND lead.state = 'waiting' AND lead.due_at <= :now
  AND (:only IS NULL OR lead.phone = :only)
  AND (lead.agent_id = '' OR lead.agent_id NOT IN (SELECT value FROM json_each(:held)))
ORDER BY lead.due_at, lead.id LIMIT :limit;

-- :name claim_queued
SELECT lead.id, lead.phone, lead.state, lead.due_at, lead.attempts, lead.submissions, lead.disposition, lead.zone,
       contact.first_name, contact.last_name, contact.cells,
       EXISTS (SELECT 1 FROM attempt WHERE attempt.phone = lead.phone AND attempt.state IN ('intended', 'placed', 'uncertain')),
       lead.agent_id, lead.further
FROM lead JOIN contact ON contact.id = lead.id
WHERE lead.campaign_id = :campaign AND lead.state = 'queued' AND lead.due_at <= :now
  AND lead.priority = 0 AND lead.agent_id = '' AND (:only IS NULL OR lead.phone = :only)
ORDER BY lead.due_at, lead.id LIMIT :limit;

-- :name claim_wished
SELECT lead.id, lead.phone, lead.state, lead.due_at, lead.attempts, lead.submissions, lead.disposition, lead.zone,
       contact.first_name, contact.last_name, contact.cells,
       EXISTS (SELECT 1 FROM attempt WHERE attempt.phone = lead.phone AND attempt.state IN ('intended', 'placed', 'uncertain')),
       lead.agent_id, lead.further
FROM lead JOIN contact ON contact.id = lead.id
WHERE lead.campaign_id = :campaign AND lead.state = 'queued' AND lead.due_at <= :now
  AND (lead.priority <> 0 OR lead.agent_id <> '') AND lead.priority = :priority AND lead.agent_id = :agent
  AND (:only IS NULL OR lead.phone = :only)
ORDER BY lead.due_at, lead.id LIMIT :limit;

-- :name wished_due
SELECT EXISTS (
    SELECT 1 FROM lead WHERE campaign_id = :campaign AND state = 'queued' AND (priority <> 0 OR agent_id <> '') AND due_at <= :now);

-- :name next_lane
SELECT priority, agent_id FROM lead
WHERE campaign_id = :campaign AND state = 'queued' AND (priority <> 0 OR agent_id <> '')
  AND (priority, agent_id) < (:priority, :agent)
ORDER BY priority DESC, agent_id DESC LIMIT 1;

-- :name next_due
SELECT min(due) FROM (
    SELECT min(due_at) AS due FROM lead
    WHERE campaign_id = :campaign AND state = 'waiting' AND (:only IS NULL OR phone = :only)
    UNION ALL
    SELECT min(due_at) FROM lead
    WHERE campaign_id = :campaign AND state = 'queued' AND priority = 0 AND agent_id = '' AND (:only IS NULL OR phone = :only)
    UNION ALL
    SELECT min(due_at) FROM lead
    WHERE campaign_id = :campaign AND state = 'queued' AND (priority <> 0 OR agent_id <> '') AND (:only IS NULL OR phone = :only)
);

-- :name open_attempts
SELECT attempt.key, attempt.agent_id, attempt.state, attempt.intended_at, attempt.gave_up_at, attempt.call_id,
       attempt.placed_at, attempt.status,
       lead.id, attempt.phone, lead.state, coalesce(lead.due_at, 0.0), lead.attempts - 1, attempt.number, lead.disposition,
       lead.zone, attempt.code, attempt.skew_low, attempt.skew_high, attempt.account
FROM attempt JOIN lead ON lead.id = attempt.lead_id
WHERE attempt.campaign_id = :campaign AND attempt.state IN ('intended', 'placed', 'uncertain')
ORDER BY attempt.placed_at, attempt.id;

-- :name unresolved
SELECT attempt.key, attempt.agent_id, attempt.state, attempt.intended_at, attempt.gave_up_at, attempt.call_id,
       attempt.placed_at, attempt.status,
       lead.id, attempt.phone, lead.state, coalesce(lead.due_at, 0.0), lead.attempts - 1, attempt.number, lead.disposition,
       lead.zone, attempt.code, attempt.skew_low, attempt.skew_high, attempt.account
FROM lead JOIN attempt ON attempt.lead_id = lead.id AND attempt.number = lead.submissions
WHERE lead.campaign_id = :campaign AND lead.state = 'unresolved'
ORDER BY attempt.intended_at, attempt.id;

-- :name doubtful
SELECT attempt.key, lead.phone, lead.state, attempt.state, attempt.agent_id, attempt.intended_at, attempt.gave_up_at,
       attempt.placed_at, attempt.reason, lead.reason, attempt.call_id
FROM lead JOIN attempt ON attempt.lead_id = lead.id AND attempt.number = lead.submissions
WHERE lead.campaign_id = :campaign
  AND (lead.state = 'unresolved' OR (lead.state = 'dialing' AND attempt.state = 'uncertain'))
ORDER BY attempt.intended_at, attempt.id;

-- :name calls_once_named
SELECT attempt, json_extract(data, '$.call') FROM event
WHERE campaign_id = :campaign AND kind IN ('placed', 'found', 'doubted')
  AND attempt IN (SELECT value FROM json_each(:attempts)) AND json_extract(data, '$.call') IS NOT NULL ORDER BY id;

-- :name scans
SELECT at, json_extract(data, '$.agent_id') FROM event
WHERE campaign_id = :campaign AND kind = 'scan' AND json_extract(data, '$.complete') ORDER BY at;

-- :name how_it_stands
SELECT attempt.state, lead.state, attempt.call_id, attempt.disposition, attempt.status
FROM attempt JOIN lead ON lead.id = attempt.lead_id WHERE attempt.key = :attempt;

-- :name stale_intents
UPDATE attempt SET state = 'uncertain', gave_up_at = intended_at + :grace, reason = 'the runner stopped before an answer came'
WHERE state = 'intended' RETURNING key, campaign_id, lead_id, phone, gave_up_at;

-- :name counts
SELECT state, count(*) FROM lead WHERE campaign_id = :campaign GROUP BY state;

-- :name money
SELECT coalesce(sum(cost), 0.0), count(cost) FROM attempt WHERE campaign_id = :campaign;

-- :name spent
SELECT coalesce(sum(requests), 0) FROM spent WHERE account = :account AND day = :day;

-- :name spend
INSERT INTO spent (account, day, requests) VALUES (:account, :day, :requests)
ON CONFLICT (account, day) DO UPDATE SET requests = requests + excluded.requests;

-- :name learned
SELECT data FROM learned WHERE account = :account AND topic = :topic;

-- :name learn
INSERT OR REPLACE INTO learned (account, topic, at, data) VALUES (:account, :topic, :at, :data);

-- :name last_account
SELECT account FROM attempt WHERE campaign_id = :campaign ORDER BY id DESC LIMIT 1;

-- :name calls_of_account
SELECT call_id FROM attempt WHERE account = :account AND call_id IS NOT NULL ORDER BY id DESC LIMIT :limit;

-- :name move_attempts
UPDATE attempt SET account = :account WHERE account = :before;

-- :name move_spent
INSERT INTO spent (account, day, requests) SELECT :account, day, requests FROM spent WHERE account = :before
ON CONFLICT (account, day) DO UPDATE SET requests = requests + excluded.requests;

-- :name forget_spent
DELETE FROM spent WHERE account = :before;

-- :name event
INSERT INTO event (id, at, kind, campaign_id, lead_id, attempt, data)
VALUES (:number, :at, :kind, :campaign, :lead, :attempt, :data);

-- :name last_event
SELECT coalesce(max(id), 0) FROM event;

-- :name events_after
SELECT event.id, event.at, event.kind, event.campaign_id, event.lead_id, event.attempt, event.data,
       coalesce(attempt.phone, lead.phone)  -- a lead may have gone on to another number since
FROM event LEFT JOIN lead ON lead.id = event.lead_id LEFT JOIN attempt ON attempt.key = event.attempt
WHERE event.id > :number ORDER BY event.id;

-- :name event_at
SELECT at, kind, attempt FROM event WHERE id = :number;

-- :name event_heads
SELECT id, at, kind, attempt FROM event ORDER BY id;

-- :name attempt_heads
SELECT key, state, call_id, disposition FROM attempt ORDER BY id;

-- :name lead_heads
SELECT id, state, attempts, submissions FROM lead WHERE submissions > 0 ORDER BY id;

-- :name lead_phone
SELECT lead.phone, lead.campaign_id,
       lead.phone = contact.phone OR EXISTS (  -- a lead has the number of its contact, or one that it went on to
           SELECT 1 FROM further_number
           WHERE campaign_id = lead.campaign_id AND phone = lead.phone AND lead_id = lead.id)
FROM lead JOIN contact ON contact.id = lead.id WHERE lead.id = :lead;

-- :name lead_numbers
SELECT phone FROM contact WHERE id = :lead
UNION SELECT phone FROM lead WHERE id = :lead
UNION SELECT phone FROM further_number WHERE lead_id = :lead
UNION SELECT json_extract(value, '$[0]') FROM lead, json_each(lead.further) WHERE lead.id = :lead;

-- :name same_people
SELECT event.campaign_id, other.key, other.value FROM event, json_each(event.data, '$.same') AS other WHERE event.kind = 'import';

-- :name integrity
PRAGMA integrity_check(1);

-- :name meta
SELECT value FROM meta WHERE key = :key;

-- :name keep_meta
INSERT OR REPLACE INTO meta (key, value) VALUES (:key, :value);

-- :name set_digest
UPDATE campaign SET digest = :digest WHERE id = :campaign;

-- :name open_at_number
SELECT campaign.name FROM attempt JOIN campaign ON campaign.id = attempt.campaign_id
WHERE attempt.phone = :phone AND attempt.state IN ('intended', 'placed', 'uncertain');

-- :name last_activity
SELECT event.at, attempt.skew_low FROM event JOIN attempt ON attempt.key = event.attempt
WHERE event.campaign_id = :campaign AND event.attempt IS NOT NULL AND event.kind <> 'uncertain'  -- that a start writes, too
ORDER BY event.id DESC LIMIT 1;

-- :name began
SELECT created_at, walking_since FROM campaign WHERE id = :campaign;

-- :name walk
UPDATE campaign SET walking_since = :since WHERE id = :campaign;

-- :name intend_lead
UPDATE lead SET state = 'dialing', attempts = attempts + 1, submissions = :number
WHERE id = :lead AND state IN ('queued', 'waiting') AND submissions = :number - 1;

-- :name intend
INSERT INTO attempt (key, campaign_id, lead_id, number, phone, agent_id, state, intended_at, account, skew_low, skew_high, config)
VALUES (:attempt, :campaign, :lead, :number, :phone, :agent, 'intended', :at, :account, :skew_low, :skew_high,
        (SELECT version FROM campaign WHERE id = :campaign));

-- :name placed
UPDATE attempt SET state = 'placed', call_id = :call, status = :status, created_at = :created_at, placed_at = :at,
                   code = :code
WHERE key = :attempt AND state IN ('intended', 'uncertain');

-- :name found_lead
UPDATE lead SET state = 'dialing', reason = '' WHERE id = :lead AND state IN ('dialing', 'unresolved');

-- :name void
UPDATE attempt SET state = 'void', code = :code, reason = :reason, ended_at = :at
WHERE key = :attempt AND state IN ('intended', 'uncertain') AND placed_at IS NULL;  -- what was accepted once may have rung

-- :name void_lead
UPDATE lead SET state = :state, due_at = :due_at, attempts = attempts - 1, reason = :lead_reason,
                disposition = CASE
                    WHEN :disposition IS NULL AND state = 'unresolved'  -- back to what it was before that attempt
                    THEN (SELECT disposition FROM attempt
                          WHERE lead_id = :lead AND state IN ('ended', 'lost') ORDER BY number DESC LIMIT 1)
                    ELSE coalesce(:disposition, disposition) END
WHERE id = :lead AND state IN ('dialing', 'unresolved');

-- :name next_number
UPDATE lead SET phone = :phone, zone = :zone
WHERE id = :lead AND state IN ('queued', 'waiting');

-- :name hold_number
INSERT INTO further_number (campaign_id, phone, lead_id) VALUES (:campaign, :phone, :lead);

-- :name free_numbers
SELECT said.value FROM json_each(:phones) AS said
WHERE NOT EXISTS (SELECT 1 FROM contact WHERE campaign_id = :campaign AND phone = said.value)
  AND NOT EXISTS (SELECT 1 FROM further_number WHERE campaign_id = :campaign AND phone = said.value)
  AND NOT EXISTS (  -- nobody is to be called by two campaigns, at whatever number
      SELECT 1 FROM campaign
      CROSS JOIN contact ON contact.campaign_id = campaign.id AND contact.phone = said.value
      CROSS JOIN lead ON lead.id = contact.id
      WHERE campaign.id <> :campaign AND lead.state IN ('queued', 'waiting', 'dialing'))
  AND NOT EXISTS (
      SELECT 1 FROM campaign
      CROSS JOIN further_number AS other ON other.campaign_id = campaign.id AND other.phone = said.value
      CROSS JOIN lead ON lead.id = other.lead_id
      WHERE campaign.id <> :campaign AND lead.state IN ('queued', 'waiting', 'dialing'));

-- :name uncertain
UPDATE attempt SET state = 'uncertain', gave_up_at = :gave_up_at, reason = :reason WHERE key = :attempt AND state = 'intended';

-- :name doubted
UPDATE attempt SET state = 'uncertain', call_id = NULL, gave_up_at = placed_at, reason = :reason
WHERE key = :attempt AND state = 'placed';

-- :name settle_attempt
UPDATE attempt SET state = 'lost', disposition = 'unknown', reason = :reason, ended_at = :at
WHERE key = :attempt AND state = 'uncertain';

-- :name settle_lead
UPDATE lead SET state = 'exhausted', due_at = NULL, disposition = 'unknown', reason = :reason
WHERE id = :lead AND state = 'unresolved';

-- :name ended
UPDATE attempt SET state = 'ended', status = :status, disposition = :disposition, duration_s = :duration_s,
                   sentiment = :sentiment, cost = :cost, ended_at = :ended_at,
                   created_at = coalesce(:created_at, created_at)
WHERE key = :attempt AND state = 'placed';

-- :name ended_lead
UPDATE lead SET state = :state, due_at = :due_at, disposition = :disposition, reason = :reason
WHERE id = :lead AND state = 'dialing';

-- :name lost
UPDATE attempt SET state = 'lost', disposition = 'unknown', reason = :reason, ended_at = :at
WHERE key = :attempt AND state IN ('uncertain', 'placed');

-- :name unresolved_lead
UPDATE lead SET state = 'unresolved', due_at = NULL, disposition = 'unknown', reason = :reason
WHERE id = :lead AND state = 'dialing';

-- :name amend
UPDATE attempt SET status = :status, disposition = :disposition, duration_s = coalesce(:duration_s, duration_s),
                   sentiment = coalesce(:sentiment, sentiment), cost = coalesce(:cost, cost),
                   created_at = coalesce(:created_at, created_at)
WHERE key = :attempt AND state = 'ended';

-- :name amend_lead
UPDATE lead SET state = :state, due_at = NULL, disposition = :disposition, reason = '' WHERE id = :lead AND state = 'waiting';

-- :name amend_disposition
UPDATE lead SET disposition = :disposition
WHERE id = :lead AND submissions = (SELECT number FROM attempt WHERE key = :attempt);

-- :name postpone_zone
UPDATE lead SET due_at = :until WHERE id IN (
    SELECT id FROM lead
    WHERE campaign_id = :campaign AND zone IS :zone AND state IN ('queued', 'waiting') AND due_at < :until
    ORDER BY due_at LIMIT :most);

-- :name postpone_lead
UPDATE lead SET due_at = :until WHERE id = :lead AND state IN ('queued', 'waiting');

-- :name campaign_by_name
SELECT id, digest, list_digest, intake, columns, understood, file, source, importing FROM campaign WHERE name = :name;

-- :name campaigns
SELECT name FROM campaign ORDER BY id;

-- :name add_campaign
INSERT INTO campaign (name, file, source, digest, created_at) VALUES (:name, :file, :source, :digest, :at);

-- :name restore_campaign
INSERT INTO campaign (id, name, file, source, digest, created_at) VALUES (:campaign, :name, :file, :source, :digest, :at);

-- :name change_campaign
UPDATE campaign SET file = :file, source = :source, digest = :digest, version = version + (digest <> :digest)
WHERE id = :campaign;

-- :name leads_of_numbers
SELECT lead.id, lead.phone, lead.state, coalesce(lead.due_at, 0.0), lead.attempts, lead.submissions, lead.disposition, lead.zone,
       contact.first_name, contact.last_name, contact.cells, 0, lead.agent_id, lead.further, said.value
FROM json_each(:phones) AS said
CROSS JOIN contact ON contact.id = coalesce(
    (SELECT lead_id FROM further_number WHERE campaign_id = :campaign AND phone = said.value),
    (SELECT id FROM contact WHERE campaign_id = :campaign AND phone = said.value))
CROSS JOIN lead ON lead.id = contact.id;

-- :name bound_calls
SELECT call_id FROM attempt WHERE call_id IN (SELECT value FROM json_each(:calls));

-- :name enroll_contact
INSERT INTO contact (id, campaign_id, phone, key, file, row_number, first_name, last_name, cells, intake)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);  -- by place: binding a million rows by name takes half as long again

-- :name enroll_lead
INSERT INTO lead (id, campaign_id, phone, zone, state, due_at) VALUES (?, ?, ?, ?, 'queued', ?);

-- :name enroll_wished_lead
INSERT INTO lead (id, campaign_id, phone, zone, state, due_at, priority, agent_id, further)
VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?);

-- :name known_by_number
SELECT contact.id, said.value, contact.key, contact.intake, contact.file, contact.row_number, lead.state, lead.submissions
FROM json_each(:values) AS said
CROSS JOIN contact ON contact.campaign_id = :campaign AND contact.phone = said.value
CROSS JOIN lead ON lead.id = contact.id;

-- :name known_by_further
SELECT contact.id, said.phone, contact.key, contact.intake, contact.file, contact.row_number, lead.state, lead.submissions
FROM json_each(:values) AS told
CROSS JOIN further_number AS said ON said.campaign_id = :campaign AND said.phone = told.value
CROSS JOIN contact ON contact.id = said.lead_id
CROSS JOIN lead ON lead.id = contact.id;

-- :name known_by_key
SELECT contact.id, contact.phone, contact.key, contact.intake, contact.file, contact.row_number, lead.state, lead.submissions
FROM json_each(:values) AS said
CROSS JOIN contact ON contact.campaign_id = :campaign AND contact.key = said.value
CROSS JOIN lead ON lead.id = contact.id;

-- :name move_contact
UPDATE contact SET phone = :phone WHERE id = :contact;

-- :name move_lead
UPDATE lead SET phone = :phone WHERE id = :contact AND submissions = 0;

-- :name see_contact_again
UPDATE contact SET intake = :intake, file = :file, row_number = :row_number, key = coalesce(key, :key) WHERE id = :contact;

-- :name change_contact
UPDATE contact SET first_name = :first_name, last_name = :last_name, cells = :cells, key = coalesce(:key, key)
WHERE id = :contact
  AND (cells <> :cells OR first_name IS NOT :first_name OR last_name IS NOT :last_name OR key IS NOT coalesce(:key, key));

-- :name change_zone
UPDATE lead SET zone = CASE WHEN phone = :phone THEN :zone ELSE coalesce(
    (SELECT json_extract(value, '$[1]') FROM json_each(:further) WHERE json_extract(value, '$[0]') = lead.phone), zone) END
WHERE id = :contact AND (zone IS NULL OR submissions = 0) AND (zone IS NOT :zone OR phone <> :phone);

-- :name change_wishes
UPDATE lead SET priority = :priority, agent_id = :agent, further = :further
WHERE id = :contact AND state IN ('queued', 'waiting', 'cancelled')
  AND (priority <> :priority OR agent_id <> :agent OR further <> :further);

-- :name live_campaigns
SELECT id, name FROM campaign WHERE id <> :campaign AND (
    EXISTS (SELECT 1 FROM lead WHERE campaign_id = campaign.id AND state = 'queued' AND priority = 0 AND agent_id = '')
    OR EXISTS (SELECT 1 FROM lead WHERE campaign_id = campaign.id AND state = 'queued' AND (priority <> 0 OR agent_id <> ''))
    OR EXISTS (SELECT 1 FROM lead WHERE campaign_id = campaign.id AND state = 'waiting')
    OR EXISTS (SELECT 1 FROM attempt WHERE campaign_id = campaign.id AND state IN ('intended', 'placed', 'uncertain')))
ORDER BY id;

-- :name other_campaigns
SELECT id, name FROM campaign WHERE id <> :campaign ORDER BY id;

-- :name elsewhere
SELECT said.value, lead.state IN ('queued', 'waiting', 'dialing')
FROM json_each(:values) AS said
CROSS JOIN contact ON contact.campaign_id = :campaign AND contact.phone = said.value
CROSS JOIN lead ON lead.id = contact.id
WHERE lead.state IN ('queued', 'waiting', 'dialing') OR (:called AND lead.attempts > 0)
UNION ALL
SELECT said.phone, lead.state IN ('queued', 'waiting', 'dialing')
FROM json_each(:values) AS told
CROSS JOIN further_number AS said ON said.campaign_id = :campaign AND said.phone = told.value
CROSS JOIN lead ON lead.id = said.lead_id
WHERE lead.state IN ('queued', 'waiting', 'dialing') OR (:called AND lead.attempts > 0);

-- :name all_elsewhere
SELECT contact.phone, lead.state IN ('queued', 'waiting', 'dialing') FROM contact JOIN lead ON lead.id = contact.id
WHERE contact.campaign_id = :campaign AND (lead.state IN ('queued', 'waiting', 'dialing') OR (:called AND lead.attempts > 0))
UNION ALL
SELECT said.phone, lead.state IN ('queued', 'waiting', 'dialing')
FROM further_number AS said JOIN lead ON lead.id = said.lead_id
WHERE said.campaign_id = :campaign AND (lead.state IN ('queued', 'waiting', 'dialing') OR (:called AND lead.attempts > 0));

-- :name had_twice
SELECT lead.id, contact.phone, contact.file, contact.row_number, contact.cells, campaign.name,
       max(other.state IN ('queued', 'waiting', 'dialing'))
FROM lead JOIN contact ON contact.id = lead.id
CROSS JOIN campaign ON campaign.id < :campaign
CROSS JOIN contact AS theirs ON theirs.campaign_id = campaign.id AND theirs.phone = contact.phone
CROSS JOIN lead AS other ON other.id = theirs.id
WHERE lead.campaign_id = :campaign AND lead.state = 'queued' AND lead.submissions = 0
  AND (other.state IN ('queued', 'waiting', 'dialing') OR (:called AND other.attempts > 0))
GROUP BY lead.id;

-- :name forget_lead
DELETE FROM lead WHERE id = :lead;

-- :name forget_contact
DELETE FROM contact WHERE id = :lead;

-- :name read_again
UPDATE campaign SET list_digest = '' WHERE id = :campaign;

-- :name importing
UPDATE campaign SET importing = :importing WHERE id = :campaign;

-- :name forget_import
DELETE FROM rejected WHERE campaign_id = :campaign AND intake = :intake;

-- :name forget_leads
DELETE FROM lead WHERE campaign_id = :campaign;

-- :name forget_contacts
DELETE FROM contact WHERE campaign_id = :campaign;

-- :name back_in_list
UPDATE lead SET state = CASE WHEN attempts = 0 THEN 'queued' ELSE 'waiting' END, due_at = :due_at, reason = ''
WHERE id = :contact AND state = 'cancelled';

-- :name cancel_gone
UPDATE lead SET state = 'cancelled', due_at = NULL, reason = 'the row is no longer in the list'
WHERE campaign_id = :campaign AND state IN ('queued', 'waiting')
  AND id IN (SELECT id FROM contact WHERE campaign_id = :campaign AND intake < :intake);

-- :name reject
INSERT INTO rejected (campaign_id, intake, file, row_number, reason, detail, raw)
VALUES (:campaign, :intake, :file, :row_number, :reason, :detail, :raw);

-- :name forget_rejected
DELETE FROM rejected WHERE campaign_id = :campaign AND intake < :intake;

-- :name intake_done
UPDATE campaign SET intake = :intake, columns = :columns, understood = :understood, list_digest = :list_digest, importing = NULL
WHERE id = :campaign;

-- :name outcomes
-- Only numbers of rows are sorted, not rows; of most leads the last attempt is the only one, and says everything.
SELECT contact.cells, lead.phone, lead.state, lead.disposition, lead.attempts, last.call_id, last.agent_id,
       CASE WHEN lead.submissions > 1 THEN (SELECT min(intended_at) FROM attempt WHERE lead_id = lead.id AND state <> 'void')
            ELSE last.intended_at END,
       last.intended_at,
       CASE WHEN lead.state IN ('queued', 'waiting') AND lead.attempts > 0 THEN lead.due_at END,
       last.duration_s, last.sentiment,
       CASE WHEN lead.submissions > 1 THEN (SELECT sum(cost) FROM attempt WHERE lead_id = lead.id) ELSE last.cost END,
       coalesce(nullif(lead.reason, ''), CASE lead.state WHEN 'dialing' THEN nullif(last.reason, '') END, nullif(last.code, ''))
FROM (SELECT id FROM contact WHERE +campaign_id = :campaign ORDER BY file, row_number
      LIMIT -1) AS nth  -- without a limit SQLite drops the order of the list
CROSS JOIN contact ON contact.id = nth.id
CROSS JOIN lead ON lead.id = nth.id
LEFT JOIN attempt AS last ON lead.submissions > 0 AND last.lead_id = lead.id AND last.state <> 'void'
    AND last.number = CASE WHEN lead.submissions > 1
                           THEN (SELECT max(number) FROM attempt WHERE lead_id = lead.id AND state <> 'void') ELSE 1 END;

-- :name attempts
SELECT attempt.key, contact.row_number, attempt.phone, attempt.number, attempt.state, attempt.disposition,
       nullif(attempt.status, ''), attempt.call_id, attempt.agent_id, attempt.intended_at, attempt.placed_at,
       attempt.created_at, attempt.ended_at, attempt.duration_s, attempt.sentiment, attempt.cost,
       nullif(attempt.code, ''), nullif(attempt.reason, '')
FROM attempt JOIN contact ON contact.id = attempt.lead_id
WHERE +attempt.campaign_id = :campaign ORDER BY attempt.id;

-- :name retry_queue
SELECT contact.row_number, lead.phone, lead.disposition, lead.attempts, lead.due_at, lead.zone, contact.first_name, contact.last_name
FROM lead JOIN contact ON contact.id = lead.id
WHERE lead.campaign_id = :campaign AND lead.state = 'waiting' ORDER BY lead.due_at, lead.id;

-- :name rejected
SELECT row_number, reason, detail, file, raw FROM rejected
WHERE campaign_id = :campaign AND intake = (SELECT intake FROM campaign WHERE id = :campaign)  -- not those of half an import
ORDER BY file, row_number, id;

-- :name rows_of_tables
SELECT (SELECT count(*) FROM contact WHERE campaign_id = :campaign),
       (SELECT count(*) FROM attempt WHERE campaign_id = :campaign),
       (SELECT count(*) FROM lead WHERE campaign_id = :campaign AND state = 'waiting'),
       (SELECT count(*) FROM rejected
        WHERE campaign_id = :campaign AND intake = (SELECT intake FROM campaign WHERE id = :campaign));

-- :name state_dispositions
SELECT state, coalesce(disposition, ''), count(*) FROM lead WHERE campaign_id = :campaign GROUP BY 1, 2;

-- :name attempt_states
SELECT state, count(*) FROM attempt WHERE campaign_id = :campaign GROUP BY state;

-- :name rejected_reasons
SELECT reason, count(*) FROM rejected
WHERE campaign_id = :campaign AND intake = (SELECT intake FROM campaign WHERE id = :campaign) GROUP BY reason;

-- :name lead_states
SELECT contact.phone, lead.state FROM lead JOIN contact ON contact.id = lead.id WHERE lead.campaign_id = :campaign;

-- :name unspend
UPDATE spent SET requests = max(requests - :requests, 0) WHERE account = :account AND day = :day;

-- :name due_before
SELECT count(*) FROM (
    SELECT 1 FROM json_each(:campaigns) AS said
    CROSS JOIN lead ON lead.campaign_id = said.value AND lead.state = 'waiting' AND lead.due_at < :until
    UNION ALL
    SELECT 1 FROM json_each(:campaigns) AS said
    CROSS JOIN lead ON lead.campaign_id = said.value AND lead.state = 'queued' AND lead.due_at < :until
        AND lead.priority = 0 AND lead.agent_id = ''
    UNION ALL
    SELECT 1 FROM json_each(:campaigns) AS said
    CROSS JOIN lead ON lead.campaign_id = said.value AND lead.state = 'queued' AND lead.due_at < :until
        AND (lead.priority <> 0 OR lead.agent_id <> '')
    UNION ALL
    SELECT 1 FROM json_each(:campaigns) AS said
    CROSS JOIN attempt ON attempt.campaign_id = said.value AND attempt.state IN ('intended', 'placed', 'uncertain')
    LIMIT :most);

-- :name campaign_sources
SELECT id, source FROM campaign ORDER BY id;

-- :name finished_calls
SELECT attempt.call_id, attempt.phone, attempt.agent_id, attempt.disposition, attempt.status, attempt.number,
       attempt.intended_at, attempt.placed_at, attempt.created_at, attempt.ended_at,
       attempt.duration_s, attempt.sentiment, attempt.cost,
       lead.state, lead.attempts, contact.row_number, contact.cells
FROM attempt JOIN lead ON lead.id = attempt.lead_id JOIN contact ON contact.id = attempt.lead_id
WHERE attempt.campaign_id = :campaign AND attempt.state = 'ended' ORDER BY attempt.id;

-- :name campaign_of_call
SELECT campaign.name, attempt.phone, attempt.agent_id, attempt.disposition, attempt.duration_s, attempt.created_at
FROM attempt JOIN campaign ON campaign.id = attempt.campaign_id WHERE attempt.call_id = :call;

-- :name page_unresolved
SELECT id FROM lead WHERE campaign_id = :campaign AND state = 'unresolved' ORDER BY id;

-- :name page_others
SELECT id FROM lead WHERE campaign_id = :campaign AND state <> 'unresolved' ORDER BY id;

-- :name page_contacts
SELECT contact.row_number, contact.first_name, contact.last_name, lead.phone, lead.state, lead.disposition, lead.attempts,
       CAST(last.intended_at AS INTEGER),
       CASE WHEN lead.state IN ('queued', 'waiting') AND lead.attempts > 0 THEN CAST(lead.due_at AS INTEGER) END,
       last.duration_s,
       round(CASE WHEN lead.submissions > 1 THEN (SELECT sum(cost) FROM attempt WHERE lead_id = lead.id) ELSE last.cost END, 6),
       last.agent_id, lead.reason, last.reason, last.code
FROM lead JOIN contact ON contact.id = lead.id
LEFT JOIN attempt AS last ON lead.submissions > 0 AND last.id = (
    SELECT id FROM attempt WHERE lead_id = lead.id AND state <> 'void' ORDER BY number DESC LIMIT 1)
WHERE lead.campaign_id = :campaign AND lead.id IN (SELECT value FROM json_each(:ids))
ORDER BY contact.file, contact.row_number;

-- :name page_people
SELECT lead.id, contact.first_name, contact.last_name, lead.phone FROM lead JOIN contact ON contact.id = lead.id
WHERE lead.id IN (SELECT value FROM json_each(:ids));
