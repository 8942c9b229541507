-- response: `count` expected events at or after the trigger and no later than due (before due, `strictly`)
WITH found AS (
    SELECT a.*, p.promised, p.told,
        (SELECT e.arrival FROM event e WHERE e.customer = a.customer AND e.id <> a.id AND e.time >= a.time AND contains(e.type, 'F')
            ORDER BY e.time, e.arrival LIMIT 1) AS failure_arrived,
        (SELECT list(e.time ORDER BY e.time) FROM event e
            WHERE e.customer = a.customer AND e.id <> a.id AND e.time >= a.time AND contains(e.type, 'E'))[count] AS came
    FROM around a JOIN promised p USING (id) CROSS JOIN terms
),
fixed AS (
    SELECT *, least(promised, failed) AS due,
        greatest(due, time, arrival, CASE WHEN failed < coalesce(promised, failed + 1) THEN failure_arrived END) AS sayable
    FROM found
)
SELECT id, next_reset, CASE
    WHEN came <= coalesce(due, came) AND NOT (strictly AND came = coalesce(promised, came + 1))
        AND came <= coalesce(least(cancelled, reset), came) THEN 'kept'
    WHEN cancelled <= coalesce(due, cancelled) AND cancelled <= coalesce(reset, cancelled) THEN 'withdrawn'
    WHEN reset <= coalesce(due, reset) THEN 'reset'
    WHEN due IS NULL OR sayable + grace > as_of THEN 'open'
    WHEN excused IS NOT NULL THEN 'excused'
    WHEN came IS NOT NULL THEN 'late'
    ELSE 'never' END AS said, least(told, failed) AS due
FROM fixed, terms
