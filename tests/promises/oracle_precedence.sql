-- precedence: an `after` at or before each `event`, at least `no_sooner_than` and at most `within` before it
SELECT s.id, NULL::INTEGER AS next_reset, CASE
    WHEN EXISTS (
        SELECT * FROM event e WHERE e.customer = s.customer AND e.id <> s.id AND contains(e.type, 'E') AND e.time <= s.time
            AND s.time - e.time >= coalesce(soonest, 0) AND s.time - e.time <= coalesce(within, s.time - e.time)) THEN 'kept'
    WHEN greatest(s.time, s.arrival) + grace > as_of THEN 'open'
    WHEN first_of(s.id, s.customer, s.time, 'X') IS NOT NULL THEN 'excused'
    ELSE 'broken' END AS said, s.time AS due
FROM opening s, terms
