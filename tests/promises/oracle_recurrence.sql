-- recurrence: every interval that was complete by the first `until` had its event
WITH boundary AS (
    SELECT c.id, n.number, min(c.minute) AS minute
    FROM clock c, terms, (SELECT unnest(range(0, 60)) AS number) n
    WHERE c.used >= n.number * every GROUP BY c.id, n.number
),
gap AS (
    SELECT s.id, min(b.minute) AS missed
    FROM start s JOIN boundary b ON b.id = s.id AND b.number > 0
    JOIN boundary a ON a.id = s.id AND a.number = b.number - 1
    WHERE NOT EXISTS (
        SELECT * FROM event e WHERE e.customer = s.customer AND e.id <> s.id AND contains(e.type, 'E') AND e.time <= b.minute
            AND e.time >= a.minute)
    GROUP BY s.id
),
found AS (
    SELECT a.*, g.missed, least(missed, failed) AS due FROM around a LEFT JOIN gap g USING (id)
)
SELECT id, next_reset, CASE
    WHEN until_came < coalesce(missed, until_came + 1) AND until_came <= coalesce(least(failed, cancelled, reset), until_came) THEN 'kept'
    WHEN cancelled <= coalesce(due, cancelled) AND cancelled <= coalesce(reset, cancelled) THEN 'withdrawn'
    WHEN reset <= coalesce(due, reset) THEN 'reset'
    WHEN due IS NULL OR greatest(due, time) + grace > as_of THEN 'open'
    WHEN excused IS NOT NULL THEN 'excused'
    WHEN failed < coalesce(missed, failed + 1) THEN 'failed'
    WHEN EXISTS (
        SELECT * FROM event e WHERE e.customer = found.customer AND e.id <> found.id AND e.time > due AND contains(e.type, 'E')) THEN 'late'
    ELSE 'never' END AS said, due
FROM found, terms
