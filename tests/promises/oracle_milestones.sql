-- milestones: every step in time, from the trigger or from when the step before was done; broken at the first late step
WITH RECURSIVE reached AS (
    SELECT s.id, 0 AS number, s.time AS done, NULL::INTEGER AS due FROM start s
    UNION ALL
    SELECT r.id, r.next,
        CASE WHEN r.origin IS NOT NULL THEN (SELECT min(e.time) FROM event e WHERE e.customer = r.customer AND e.id <> r.id
            AND contains(e.type, r.next::VARCHAR) AND e.time >= r.origin) END,
        (SELECT min(c.minute) FROM clock c JOIN clock o ON o.id = c.id AND o.minute = r.origin
            WHERE c.id = r.id AND c.minute >= r.origin AND c.used - o.used >= r.within)
    FROM (
        SELECT r.id, s.customer, t.number AS next, t.within, CASE WHEN t.from_previous THEN r.done ELSE s.time END AS origin
        FROM reached r JOIN start s USING (id) JOIN steps t ON t.number = r.number + 1
    ) r
),
found AS (
    SELECT a.*, least(r.missed, a.failed) AS due, r.missed, r.complete, r.done, r.came_late
    FROM around a JOIN (
        SELECT id, min(due) FILTER (done IS NULL OR done > due) AS missed, bool_and(done IS NOT NULL) AS complete, max(done) AS done,
            arg_min(done IS NOT NULL, (due, number)) FILTER (done IS NULL OR done > due) AS came_late
        FROM reached WHERE number > 0 GROUP BY id
    ) r USING (id)
)
SELECT id, next_reset, CASE
    WHEN complete AND missed IS NULL AND done <= coalesce(least(failed, cancelled, reset), done) THEN 'kept'
    WHEN cancelled <= coalesce(due, cancelled) AND cancelled <= coalesce(reset, cancelled) THEN 'withdrawn'
    WHEN reset <= coalesce(due, reset) THEN 'reset'
    WHEN due IS NULL OR greatest(due, time) + grace > as_of THEN 'open'
    WHEN excused IS NOT NULL THEN 'excused'
    WHEN failed < coalesce(missed, failed + 1) THEN 'failed'
    WHEN came_late THEN 'late'
    ELSE 'never' END AS said, due
FROM found, terms
