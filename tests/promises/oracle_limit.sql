-- limit: opens at the first `event` of a correlation; broken at event n+1 (within any sliding `in`, if given)
WITH counted AS (
    SELECT e.customer, e.time, lag(e.time, at_most) OVER (PARTITION BY e.customer ORDER BY e.time, e.id) AS earliest
    FROM event e, terms WHERE contains(e.type, 'T')
),
found AS (
    SELECT a.*, (
        SELECT min(c.time) FROM counted c WHERE c.customer = a.customer AND c.time - c.earliest <= coalesce(sliding, c.time)) AS too_many
    FROM around a JOIN opening USING (id) CROSS JOIN terms
)
SELECT id, NULL::INTEGER AS next_reset, CASE
    WHEN too_many <= coalesce(cancelled, too_many) THEN
        CASE WHEN too_many + grace > as_of THEN 'open' WHEN excused IS NOT NULL THEN 'excused' ELSE 'broken' END
    WHEN cancelled IS NOT NULL THEN 'withdrawn'
    ELSE 'standing' END AS said, too_many AS due
FROM found, terms
