-- absence: none by the end of `within` or the first `until`; broken at the first `never` at or after the trigger
WITH found AS (
    SELECT a.*, first_of(a.id, a.customer, a.time, 'N') AS forbidden, least(promised, until_came) AS ending,
        b.budget = 999 AND NOT (SELECT until FROM terms) AS endless
    FROM around a JOIN promised p USING (id) JOIN budget b ON b.id = a.id AND b.minute = (SELECT max(minute) FROM budget)
)
SELECT id, next_reset, CASE
    WHEN forbidden <= coalesce(ending, forbidden) AND forbidden <= coalesce(least(cancelled, reset), forbidden) THEN
        CASE WHEN greatest(forbidden, time) + grace > as_of THEN 'open' WHEN excused IS NOT NULL THEN 'excused' ELSE 'broken' END
    WHEN cancelled <= coalesce(ending, cancelled) AND cancelled <= coalesce(reset, cancelled) THEN 'withdrawn'
    WHEN reset <= coalesce(ending, reset) THEN 'reset'
    WHEN ending IS NOT NULL AND greatest(ending, time) + grace <= as_of THEN 'kept'
    WHEN endless THEN 'standing'
    ELSE 'open' END AS said, coalesce(forbidden, ending) AS due
FROM found, terms
