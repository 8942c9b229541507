-- What the oracle looks for (FAULTS, I1 to I7): under each claim the query for what contradicts it; where a line SAME AS
-- stands between two queries, whatever one of them finds and the other does not. KIND says under what it is counted.


-- KIND lost
-- None lost: every record before a lane's position is accounted for, and its effects are where they belong.

-- CLAIM every record before a lane's end was read
SELECT f.lane, f.pos
FROM fates f
JOIN progress p USING (lane)
WHERE p.service = 'journey' AND f.fate <> 'ignored' AND f.pos >= p.position

-- CLAIM every lane's records are accounted for
SELECT p.lane, p.position, p.applied, p.duplicate, p.conflict, p.quarantined, p.ignored
FROM progress p
WHERE service = 'journey' AND topic IN ('touchpoints', 'acts') AND p.applied + p.duplicate + p.conflict + p.quarantined
    + p.ignored <> p.position

-- CLAIM each lane accounts for its records as they are
WITH winners AS (
    SELECT f.event, arg_min(f.digest, f.pos) AS digest
    FROM fates f JOIN events e USING (lane, event)
    WHERE f.fate = 'taken'
    GROUP BY f.event
), counted AS (
    SELECT f.lane,
        count(*) FILTER (fate = 'ignored') AS ignored,
        count(*) FILTER (fate = 'refused') AS quarantined,
        count(*) FILTER (fate = 'taken' AND f.digest <> w.digest) AS conflict,
        count(*) FILTER (fate = 'taken' AND f.digest = w.digest) AS same
    FROM fates f LEFT JOIN winners w USING (event)
    JOIN progress p ON p.lane = f.lane AND p.service = 'journey'
    WHERE f.pos < p.position
    GROUP BY f.lane
)
SELECT * FROM progress p JOIN counted c USING (lane)
WHERE p.service = 'journey' AND (p.ignored <> c.ignored OR p.quarantined <> c.quarantined
    OR p.conflict <> c.conflict OR p.applied + p.duplicate <> c.same)

-- CLAIM every event is in the journey
SELECT event
FROM fates
WHERE fate = 'taken'
EXCEPT
SELECT event
FROM events

-- CLAIM every refused record is in quarantine
SELECT f.lane, f.pos, f.digest
FROM fates f
JOIN progress p ON p.lane = f.lane AND p.service = 'journey'
WHERE fate = 'refused' AND f.pos < p.position
SAME AS
SELECT lane, pos, digest
FROM quarantine

-- CLAIM every refused record is a dead letter, byte for byte
SELECT lane || '/' || pos, digest
FROM quarantine
EXCEPT
SELECT origin, digest
FROM dead

-- CLAIM no numbered stream has a hole
SELECT *
FROM streams
WHERE applied <> highest

-- CLAIM everything committed is published
SELECT *
FROM progress
WHERE published <> ordinal

-- CLAIM the journey was published as it was journalled
SELECT partition, lane, seq, customer, event, digest
FROM journal
SAME AS
SELECT partition, lane, seq, customer, event, digest
FROM journey_topic

-- CLAIM the timeline has every fact
SELECT topic, partition, customer, digest
FROM timeline
SAME AS
SELECT 'promises', partition, customer, digest
FROM promises_topic
UNION ALL
SELECT 'recovery', partition, customer, digest
FROM recovery_topic

-- CLAIM what recovery did came back as touchpoints
SELECT event
FROM outbox
WHERE topic = 'acts'
EXCEPT
SELECT event
FROM events


-- KIND doubled
-- None doubled: one effect an event.

-- CLAIM what was published again was the same
SELECT *
FROM streams
WHERE changed > 0

-- CLAIM an event is in a customer's journal once
SELECT customer, event, count(*)
FROM journal
GROUP BY ALL
HAVING count(*) > 1

-- CLAIM an event is nobody else's
SELECT event, count(DISTINCT customer)
FROM events
GROUP BY event
HAVING count(DISTINCT customer) > 1

-- CLAIM a customer is one subject's
SELECT customer
FROM events
WHERE NOT starts_with(subject, 'customer:')
GROUP BY customer
HAVING count(DISTINCT subject) > 1
UNION ALL
SELECT subject
FROM events
GROUP BY subject
HAVING count(DISTINCT customer) > 1

-- CLAIM a journey event is a record that arrived
SELECT e.event, e.lane
FROM events e
WHERE NOT EXISTS (SELECT 1
    FROM fates f
    WHERE f.fate = 'taken' AND f.event = e.event AND f.lane = e.lane AND f.arrival = e.arrival AND f.time = e.time AND f.type
        = e.type AND f.data = e.data)

-- CLAIM an event is a strand's evidence once
SELECT strand, event, count(*)
FROM evidence
GROUP BY ALL
HAVING count(*) > 1

-- CLAIM all that bears on a promise is evidence, and nothing else
SELECT event, arrival
FROM evidence
SAME AS
SELECT event, arrival
FROM (SELECT DISTINCT customer, correlate, correlation, event, arrival
    FROM parts)

-- CLAIM the ids of facts are unique
SELECT fact, count(*)
FROM promises_topic
WHERE kind <> 'at_risk'
GROUP BY fact
HAVING count(*) > 1
UNION ALL
SELECT fact, count(*)
FROM recovery_topic
GROUP BY fact
HAVING count(*) > 1

-- CLAIM a commitment opens once
SELECT id, count(f.fact)
FROM commitments c
LEFT JOIN promises_topic f ON f.commitment = c.id AND f.kind = 'opened'
GROUP BY id
HAVING count(f.fact) <> 1

-- CLAIM a commitment's verdicts are numbered without a gap or a repeat
SELECT commitment, list(verdict)
FROM said
GROUP BY commitment
HAVING list(verdict ORDER BY seq) <> range(1, count(*) + 1)

-- CLAIM what recovery says has each act once
SELECT event, count(*)
FROM outbox
WHERE topic = 'acts'
GROUP BY event
HAVING count(*) > 1


-- KIND false
-- No false verdict, not even a passing one.

-- CLAIM what was owed is a commitment, and nothing else
SELECT promise, event
FROM parts
WHERE role = 'when'
SAME AS
SELECT promise, trigger_event
FROM commitments

-- CLAIM the latest verdict is what the promise says
SELECT c.promise, c.id, c.state, v.verdict
FROM commitments c
JOIN verdicts v ON v.of = 'last' AND v.promise = c.promise AND v.trigger_event = c.trigger_event
WHERE v.verdict <> CASE WHEN c.state IN ('on_track', 'at_risk') THEN 'open' ELSE c.state END

-- CLAIM nothing was called broken while what keeps it had arrived, or before its time
SELECT f.fact, f.barrier, v.verdict, v.due, v.owed
FROM said f
JOIN verdicts v ON v.of = 'said' AND v.fact = f.fact
WHERE f.judgement = 'broken' AND v.verdict <> 'broken'

-- CLAIM nothing was called kept by silence before silence was certain
SELECT f.fact, f.barrier, v.verdict
FROM said f
JOIN verdicts v ON v.of = 'said' AND v.fact = f.fact
WHERE f.judgement = 'kept' AND v.pattern = 'absence' AND v.verdict <> 'kept'

-- CLAIM nothing was called kept without its evidence
SELECT f.fact
FROM said f
JOIN verdicts v ON v.of = 'said' AND v.fact = f.fact
WHERE f.judgement = 'kept' AND ((v.pattern = 'conformance' AND NOT v.conforms) OR (v.pattern = 'response' AND NOT EXISTS
            (SELECT 1 FROM parts e WHERE e.promise = v.promise AND e.role = 'expect' AND e.event = f.decided_by AND e.customer
                = v.customer AND e.correlation = v.correlation AND e.time BETWEEN v.start AND v.due)))

-- CLAIM nothing is said of what was not promised
SELECT fact
FROM said
WHERE judgement IN ('kept', 'broken')
EXCEPT
SELECT fact
FROM verdicts
WHERE of = 'said'

-- CLAIM no promise refused an event
SELECT *
FROM refused


-- KIND disordered
-- What is published is what was decided, in that order.

-- CLAIM what was decided is published in the order it was decided
SELECT partition, seq, commitment, digest
FROM facts
SAME AS
SELECT partition, seq, commitment, digest
FROM promises_topic

-- CLAIM the barrier of what is said of a commitment never goes back
SELECT *
FROM (SELECT commitment, seq, barrier, max(barrier) OVER (PARTITION BY commitment ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING
            AND 1 PRECEDING) AS before -- of a partition it may: what falls due at one moment is said in pieces, and others meanwhile
    FROM promises_topic)
WHERE barrier < before

-- CLAIM the last that was said of a commitment is what its row says
SELECT c.id, c.verdict_state, f.judgement
FROM commitments c
LEFT JOIN (SELECT commitment, arg_max(judgement, seq) AS judgement, max(verdict) AS verdict
    FROM said
    GROUP BY commitment) f ON f.commitment = c.id
WHERE c.verdict_state IS DISTINCT
FROM f.judgement OR c.verdict <> coalesce(f.verdict, 0)

-- CLAIM nothing is said of a commitment before it opens
SELECT commitment
FROM promises_topic
GROUP BY commitment
HAVING arg_min(kind, seq) <> 'opened'

-- CLAIM recovery published what it decided, in that order
SELECT partition, seq, digest
FROM outbox
WHERE topic = 'recovery'
SAME AS
SELECT partition, seq, digest
FROM recovery_topic

-- CLAIM a case opens before anything else happens in it
SELECT case_id
FROM recovery_topic
GROUP BY case_id
HAVING arg_min(kind, seq) <> 'opened' OR count(*) FILTER (kind = 'opened') <> 1


-- KIND false
-- Late evidence corrects, and once.

-- CLAIM a correction says something else than before
SELECT fact
FROM (SELECT *, lag(judgement) OVER (PARTITION BY commitment ORDER BY seq) AS told,
        CASE WHEN told NOT IN ('on_track', 'at_risk', 'paused') THEN told END AS before -- what was taken back altogether is said anew
    FROM said)
WHERE judgement = told OR was IS DISTINCT
FROM before OR (kind = 'corrected') <> (before IS NOT NULL)

-- CLAIM late evidence brings one correction at most
SELECT s.commitment, count(*)
FROM said s
JOIN commitments c ON c.id = s.commitment
WHERE s.kind = 'corrected'
GROUP BY s.commitment, c.promise, c.trigger_event
HAVING count(*) > (SELECT count(DISTINCT e.event)
    FROM parts e
    JOIN parts t ON t.promise = c.promise AND t.event = c.trigger_event AND t.role = 'when' AND e.promise = t.promise AND
        e.customer = t.customer AND e.correlation = t.correlation AND e.event <> t.event AND e.time >= t.time)


-- KIND false
-- What is broken to a customer is in one case, what was corrected in none.

-- CLAIM a customer has one open case
SELECT customer
FROM cases
WHERE state IN ('open', 'owned', 'remedied')
GROUP BY customer
HAVING count(*) > 1

-- CLAIM what is broken to a customer is a failure of one case
SELECT b.commitment, count(f.case_id)
FROM broken b
LEFT JOIN failures f ON f.commitment = b.commitment AND NOT f.withdrawn
WHERE b.still
GROUP BY b.commitment
HAVING count(f.case_id) <> 1

-- CLAIM what was corrected is withdrawn, and was in a case
SELECT b.commitment
FROM broken b
LEFT JOIN failures f ON f.commitment = b.commitment
WHERE NOT b.still
GROUP BY b.commitment
HAVING count(f.case_id) = 0 OR bool_or(NOT f.withdrawn)

-- CLAIM no failure is invented
SELECT commitment
FROM failures
EXCEPT
SELECT commitment
FROM broken

-- CLAIM a case is its customer's
SELECT f.commitment
FROM failures f
JOIN cases k ON k.id = f.case_id
JOIN commitments c ON c.id = f.commitment
WHERE k.customer <> c.customer

-- CLAIM a case without a failure left is withdrawn, one with any is not
SELECT k.id, k.state
FROM cases k
LEFT JOIN failures f ON f.case_id = k.id
GROUP BY k.id, k.state
HAVING (k.state = 'withdrawn') = coalesce(bool_or(NOT f.withdrawn), false)

-- CLAIM every case told is one that is
SELECT id
FROM cases
SAME AS
SELECT DISTINCT case_id
FROM recovery_topic
