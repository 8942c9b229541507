-- settlement: at its end (`early`: as soon as) `must` holds over the trigger and what was collected up to then
WITH ended AS (SELECT a.*, p.promised, least(p.promised, a.until_came) AS ending FROM around a JOIN promised p USING (id)),
moment AS (SELECT id, minute FROM clock UNION SELECT id, ending FROM ended WHERE ending IS NOT NULL),
holding AS (
    SELECT m.id, m.minute, CASE must
        WHEN 'enough' THEN coalesce(sum(e.value), 0) >= any_value(s.value)
        WHEN 'few' THEN count(e.id) <= 1
        ELSE coalesce(max(e.value) < any_value(s.value), false) END AS holds
    FROM moment m JOIN start s USING (id) CROSS JOIN terms
    LEFT JOIN event e ON e.customer = s.customer AND e.id <> s.id AND contains(e.type, 'K') AND e.time BETWEEN s.time AND m.minute
    GROUP BY m.id, m.minute, must
),
found AS (
    SELECT x.*, CASE
        WHEN early THEN (SELECT min(minute) FROM holding h WHERE h.id = x.id AND h.holds AND minute <= coalesce(x.ending, minute))
        ELSE (SELECT minute FROM holding h WHERE h.id = x.id AND h.holds AND minute = x.ending) END AS settled
    FROM ended x, terms
)
SELECT id, next_reset, CASE
    WHEN early AND settled <= coalesce(least(cancelled, reset), settled) THEN 'kept'
    WHEN settled < coalesce(least(cancelled, reset), settled + 1) THEN
        CASE WHEN greatest(settled, time) + grace <= as_of THEN 'kept' ELSE 'open' END
    WHEN cancelled <= coalesce(ending, cancelled) AND cancelled <= coalesce(reset, cancelled) THEN 'withdrawn'
    WHEN reset <= coalesce(ending, reset) THEN 'reset'
    WHEN ending IS NULL OR greatest(ending, time) + grace > as_of THEN 'open'
    WHEN excused IS NOT NULL THEN 'excused'
    WHEN NOT dated AND within IS NULL THEN 'broken'
    WHEN until_came <= coalesce(promised, until_came) THEN 'never'
    WHEN EXISTS (SELECT * FROM holding h WHERE h.id = found.id AND h.holds AND h.minute > ending AND h.minute IN (
        SELECT e.time FROM event e WHERE e.customer = found.customer AND e.id <> found.id AND contains(e.type, 'K'))) THEN 'late'
    ELSE 'never' END AS said, ending AS due
FROM found, terms
