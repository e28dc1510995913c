-- What the figures of a report are made of. Each statement reads a table once at most: a ledger may hold millions of rows.
-- A call began when the API says it was made, else when its id came; one that was never accepted, when it was intended.

-- :name figures_span
SELECT min(min(coalesce(created_at, placed_at, intended_at)), min(intended_at), min(coalesce(placed_at, intended_at))), min(ended_at), max(intended_at), max(ended_at)
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
-- By our clock, which tells fractions of a second, as ends do that were noticed: or more calls than there are slots seem
-- live at once. What was found much later began when the API says.
SELECT CASE WHEN created_at IS NULL OR placed_at - intended_at BETWEEN 0 AND 60 THEN coalesce(placed_at, created_at) ELSE created_at END
       AS began_at, coalesce(ended_at, :now)
FROM attempt WHERE campaign_id = :campaign AND state IN ('placed', 'ended')
ORDER BY began_at;

-- :name figures_lengths
SELECT duration_s, count(*) FROM attempt
WHERE campaign_id = :campaign AND state = 'ended' AND disposition = 'completed' AND duration_s IS NOT NULL
GROUP BY duration_s ORDER BY duration_s;

-- :name figures_people
SELECT state, coalesce(disposition, ''), attempts FROM lead WHERE campaign_id = :campaign;

-- :name figures_doubts
SELECT attempt.placed_at IS NOT NULL, lead.attempts = 1, lead.state = 'reached',
       lead.state = 'dialing' AND attempt.state = 'uncertain', count(*), count(DISTINCT lead.id)
FROM attempt JOIN lead ON lead.id = attempt.lead_id
WHERE attempt.campaign_id = :campaign AND attempt.state IN ('uncertain', 'lost')
GROUP BY 1, 2, 3, 4;

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
WHERE campaign_id = :campaign AND reason = :reason
  AND intake = (SELECT intake FROM campaign WHERE id = :campaign)
ORDER BY id LIMIT :most;

-- :name figures_unresolved
SELECT contact.id, contact.file, contact.row_number, lead.state, attempt.state, attempt.agent_id, attempt.intended_at,
       attempt.gave_up_at, attempt.placed_at, attempt.call_id, attempt.reason, lead.reason
FROM lead JOIN contact ON contact.id = lead.id
     JOIN attempt ON attempt.lead_id = lead.id AND attempt.number = lead.submissions
WHERE lead.campaign_id = :campaign
  AND (lead.state = 'unresolved' OR (lead.state = 'dialing' AND attempt.state = 'uncertain'))
ORDER BY lead.state <> 'unresolved', attempt.intended_at, attempt.id LIMIT :most;

-- A side of a comparison: a campaign, or one agent's part of it. The unit is the person: what one person's calls came to
-- is added up first, since the calls of one person are alike.

-- :name compare_side
SELECT count(*), sum(rang), sum(rang * rang), sum(reached), sum(doubtful AND NOT reached), sum(doubts),
       sum(ended), sum(ended * ended), sum(answered), sum(answered * answered), sum(ended * answered),
       sum(machine), sum(machine * machine), sum(ended * machine),
       sum(timed), sum(timed * timed), sum(talk_s), sum(talk_s * talk_s), sum(timed * talk_s),
       sum(cost), sum(cost * cost), sum(cost * reached), sum(uncosted)
FROM (SELECT count(*) AS rang,
             sum(attempt.state = 'ended') AS ended,
             sum(attempt.state = 'ended' AND attempt.disposition = 'completed') AS answered,
             sum(attempt.state = 'ended' AND attempt.disposition = 'voicemail') AS machine,
             sum(attempt.state = 'ended' AND attempt.disposition = 'completed' AND duration_s IS NOT NULL) AS timed,
             coalesce(sum(duration_s) FILTER (WHERE attempt.state = 'ended' AND attempt.disposition = 'completed'), 0.0)
                 AS talk_s,
             coalesce(sum(cost), 0.0) AS cost,
             sum(cost IS NULL AND attempt.state IN ('ended', 'lost', 'uncertain')) AS uncosted,
             sum(attempt.state IN ('lost', 'uncertain')) AS doubts,
             max(attempt.state IN ('lost', 'uncertain')) AS doubtful,
             CASE WHEN :agent IS NULL THEN max(lead.state = 'reached')
                  ELSE max(attempt.state = 'ended' AND attempt.disposition = 'completed') END AS reached
      FROM attempt JOIN lead ON lead.id = attempt.lead_id
      WHERE attempt.campaign_id = :campaign AND attempt.state <> 'void' AND (:agent IS NULL OR attempt.agent_id = :agent)
      GROUP BY attempt.lead_id);

-- :name compare_circumstances
SELECT zone, quarter, nth FROM (
    SELECT lead.zone AS zone, CAST(coalesce(created_at, placed_at, intended_at) / 900 AS INTEGER) AS quarter,
           attempt.agent_id AS agent_id,
           row_number() OVER (PARTITION BY attempt.lead_id ORDER BY number) AS nth
    FROM attempt JOIN lead ON lead.id = attempt.lead_id
    WHERE attempt.campaign_id = :campaign AND attempt.state <> 'void')
WHERE :agent IS NULL OR agent_id = :agent;

-- :name compare_agents
SELECT DISTINCT agent_id FROM attempt WHERE campaign_id = :campaign ORDER BY 1;

-- :name compare_in_both
SELECT count(*) FROM contact AS one JOIN contact AS other ON other.campaign_id = :other AND other.phone = one.phone
WHERE one.campaign_id = :campaign;

-- :name compare_people_of_both
SELECT count(*) FROM (
    SELECT 1 FROM attempt WHERE campaign_id = :campaign AND state <> 'void' AND agent_id IN (:agent, :other)
    GROUP BY lead_id HAVING count(DISTINCT agent_id) = 2);
