-- every commitment that was opened: at a trigger, or where `reset` started the clock again
WITH RECURSIVE alive AS (
    SELECT id FROM opening
    UNION SELECT next_reset FROM alive JOIN said USING (id) WHERE said = 'reset'
)
SELECT id, CASE said WHEN 'reset' THEN 'withdrawn' ELSE said END,
    CASE WHEN said IN ('late', 'never', 'broken', 'failed', 'excused') THEN due END
FROM said JOIN alive USING (id)
