-- What the figures of a report are made of. Each statement reads a table once at most: a ledger may hold millions of rows.
-- A call began when the API says it was made, else when its id came; one that was never accepted, when it was intended.

-- :name figures_span
SELECT min(coalesce(created_at, placed_at, intended_at)), min(ended_at), max(coalesce(created_at, placed_at, intended_at)),
       max(ended_at), count(*)
FROM attempt WHERE campaign_id = :campaign AND state <> 'void';

-- :name figures_is_live
SELECT 1 FROM attempt WHERE campaign_id = :campaign AND state IN ('intended', 'placed', 'uncertain') LIMIT 1;

-- :name figures_attempts
SELECT attempt.agent_id, attempt.state, attempt.disposition, lead.zone,
       CAST(coalesce(attempt.created_at, attempt.placed_at, attempt.intended_at) / 900 AS INTEGER),
       CAST((attempt.ended_at - :begins_at) / :width_s AS INTEGER), attempt.duration_s, attempt.cost
FROM attempt JOIN lead ON lead.id = attempt.lead_id
WHERE attempt.campaign_id = :campaign;

-- :name figures_calls
SELECT coalesce(created_at, placed_at) AS began_at, coalesce(ended_at, :now)
FROM attempt WHERE campaign_id = :campaign AND state IN ('placed', 'ended')
ORDER BY began_at;

-- :name figures_lengths
SELECT duration_s, count(*) FROM attempt
WHERE campaign_id = :campaign AND state = 'ended' AND disposition = 'completed' AND duration_s IS NOT NULL
GROUP BY duration_s ORDER BY duration_s;

-- :name figures_people
SELECT state, coalesce(disposition, ''), attempts FROM lead WHERE campaign_id = :campaign;

-- :name figures_doubts
SELECT attempt.placed_at IS NOT NULL, lead.attempts = 1, lead.state = 'reached', count(*), count(DISTINCT lead.id)
FROM attempt JOIN lead ON lead.id = attempt.lead_id
WHERE attempt.campaign_id = :campaign AND attempt.state IN ('uncertain', 'lost')
GROUP BY 1, 2, 3;

-- :name figures_due_span
SELECT min(due_at), max(due_at) FROM lead WHERE campaign_id = :campaign AND state = 'waiting' AND due_at > :now;

-- :name figures_due
SELECT CASE WHEN due_at <= :now THEN -1 ELSE CAST((due_at - :begins_at) / :width_s AS INTEGER) END
FROM lead WHERE campaign_id = :campaign AND state = 'waiting';

-- :name figures_due_next
SELECT contact.id, contact.file, contact.row_number, lead.disposition, lead.attempts, lead.due_at, lead.zone
FROM lead JOIN contact ON contact.id = lead.id
WHERE lead.campaign_id = :campaign AND lead.state = 'waiting' ORDER BY lead.due_at, lead.id LIMIT :most;

-- :name figures_rejected_examples
SELECT file, row_number, detail FROM rejected
WHERE campaign_id = :campaign AND reason = :reason ORDER BY id LIMIT :most;

-- :name figures_unresolved
SELECT contact.id, contact.file, contact.row_number, lead.state, attempt.state, attempt.agent_id, attempt.intended_at,
       attempt.gave_up_at, attempt.placed_at, attempt.call_id, attempt.reason, lead.reason
FROM lead JOIN contact ON contact.id = lead.id
     JOIN attempt ON attempt.lead_id = lead.id AND attempt.number = lead.submissions
WHERE lead.campaign_id = :campaign
  AND (lead.state = 'unresolved' OR (lead.state = 'dialing' AND attempt.state = 'uncertain'))
ORDER BY lead.state <> 'unresolved', attempt.intended_at, attempt.id LIMIT :most;
