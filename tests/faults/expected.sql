-- What must be so, from what arrived and what was promised: PROMISES.md and DESIGN 3 in SQL. All times are milliseconds.

-- A record's arrival is its stamp, made monotone along its lane.
CREATE VIEW arrived AS
SELECT *, max(stamp) OVER (PARTITION BY lane ORDER BY pos) AS arrival FROM raw;

-- What becomes of each record: an event is accepted once, and refused where its time is impossible.
CREATE TABLE fates AS
SELECT *, CASE
    WHEN kind = 'tick' THEN 'ignored'
    WHEN kind = 'bad' OR time - arrival > 300000 OR arrival - time > 2592000000 THEN 'refused'
    ELSE 'taken'
END AS fate
FROM arrived;

-- The copy of an event that was accepted; which of several it was is the system's choice, and must be one of them.
-- What journey itself has to say (who is held) is none.
CREATE TABLE events AS
SELECT customer, event, type, subject, lane, min(time) AS time, min(arrival) AS arrival, min(data) AS data, min(due) AS due
FROM journey_topic WHERE NOT copied AND NOT starts_with(type, 'makegood.') GROUP BY ALL;

-- Which part each event plays in which promise, and what ties it to others of its customer.
CREATE TABLE parts AS
SELECT r.promise, r.role, e.event, e.customer, e.time, e.arrival, e.due AS own_due, e.data,
    CASE WHEN p.correlate IS NULL THEN 'customer' ELSE CAST(json_extract(e.data, p.correlate) AS VARCHAR) END AS correlation,
    coalesce(p.correlate, '') AS correlate
FROM events e JOIN roles r ON r.type = e.type JOIN promises p ON p.name = r.promise
WHERE correlation IS NOT NULL;

-- What is asked: of every commitment at the last barrier, and of every verdict that time brought, at its own.
CREATE TABLE questions AS
SELECT row_number() OVER () AS question, * FROM (
    SELECT 'last' AS of, t.promise, t.event AS trigger_event, b.barrier, CAST(NULL AS VARCHAR) AS fact
    FROM parts t JOIN barriers b ON b.partition = (SELECT any_value(j.partition) FROM journey_topic j WHERE j.customer = t.customer)
    WHERE t.role = 'when'
    UNION ALL
    SELECT 'said', f.promise, f.trigger_event, coalesce(f.barrier, 0), f.fact
    FROM promises_topic f WHERE f.kind NOT IN ('opened', 'at_risk', 'progress') AND f.judgement IN ('broken', 'kept')
);

CREATE TABLE asked AS
SELECT q.*, p.pattern, p.grace, p.strictly, t.customer, t.correlation, t.time AS start, t.arrival AS heard,
    CASE WHEN p.pattern = 'conformance' THEN t.time WHEN p.by IS NOT NULL THEN t.own_due ELSE t.time + p.within END AS due,
    CAST(json_extract(t.data, '$.total') AS DOUBLE) <= p.total_at_most AS conforms
FROM questions q JOIN promises p ON p.name = q.promise
JOIN parts t ON t.promise = q.promise AND t.event = q.trigger_event AND t.role = 'when';

-- What had arrived by the barrier, at or after the trigger; a trigger is never evidence for its own commitment.
CREATE TABLE heard AS
SELECT a.question, e.role, e.time, e.arrival FROM asked a
JOIN parts e ON e.promise = a.promise AND e.customer = a.customer AND e.correlation = a.correlation
WHERE e.event <> a.trigger_event AND e.time >= a.start AND e.arrival <= a.barrier AND e.role <> 'when';

CREATE TABLE weighed AS
SELECT a.*,
    min(h.time) FILTER (h.role = 'expect') AS owed,
    min(h.time) FILTER (h.role = 'broken_by' AND h.time < a.due) AS failed,
    min(h.time) FILTER (h.role = 'cancel' AND h.time <= a.due) AS cancelled,
    min(h.time) FILTER (h.role = 'never' AND h.time <= a.due) AS never
FROM asked a LEFT JOIN heard h USING (question) GROUP BY ALL;

-- From which barrier on what was seen may be said: from when it happened and was known. Each one alone entitles to it.
CREATE TABLE seen AS
SELECT w.*,
    (SELECT min(greatest(h.time, h.arrival, w.heard)) FROM heard h WHERE h.question = w.question AND h.role = 'broken_by'
        AND h.time < w.due AND h.time < coalesce(w.owed, 1e15) AND h.time < coalesce(w.cancelled, 1e15)) AS failure_known,
    (SELECT min(greatest(h.time, h.arrival, w.heard)) FROM heard h WHERE h.question = w.question AND h.role = 'never'
        AND h.time <= w.due AND h.time <= coalesce(w.cancelled, 1e15)) AS never_known,
    owed IS NOT NULL AND (owed < due OR (owed = due AND NOT strictly)) AS in_time
FROM weighed w;

CREATE TABLE verdicts AS
SELECT *, CASE pattern
    WHEN 'response' THEN CASE
        WHEN in_time AND owed <= coalesce(failed, 1e15) AND owed <= coalesce(cancelled, 1e15) THEN 'kept'
        WHEN cancelled <= coalesce(failed, 1e15) THEN 'withdrawn'
        WHEN barrier >= failure_known + grace THEN 'broken'
        WHEN NOT in_time AND cancelled IS NULL AND barrier >= greatest(due, heard) + grace THEN 'broken'
        ELSE 'open' END
    WHEN 'absence' THEN CASE
        WHEN never <= coalesce(cancelled, 1e15) THEN CASE WHEN barrier >= never_known + grace THEN 'broken' ELSE 'open' END
        WHEN cancelled IS NOT NULL THEN 'withdrawn'
        WHEN barrier >= greatest(due, heard) + grace THEN 'kept'
        ELSE 'open' END
    ELSE CASE
        WHEN conforms THEN 'kept'
        WHEN barrier >= greatest(due, heard) + grace THEN 'broken'
        ELSE 'open' END
    END AS verdict
FROM seen;
