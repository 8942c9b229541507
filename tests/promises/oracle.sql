-- Prepares a history for the queries: what opens commitments, and how much of a budget is used by which minute.
CREATE OR REPLACE TABLE event AS SELECT happened.* FROM happened, terms WHERE arrival <= as_of;

-- `open: first`: only the first trigger of a correlation, in event time
CREATE OR REPLACE TABLE opening AS
SELECT * EXCLUDE (place) FROM (
    SELECT event.*, row_number() OVER (PARTITION BY customer ORDER BY time, id) AS place FROM event WHERE contains(type, 'T')
), (SELECT first FROM terms) WHERE NOT first OR place = 1;

-- where a clock can start: at a trigger, and where `reset` starts it again
CREATE OR REPLACE TABLE start AS
SELECT * EXCLUDE (first) FROM opening
UNION SELECT * FROM event WHERE contains(type, 'R');

-- after which instants a clock stands; at one instant: pause before resume
CREATE OR REPLACE TABLE switch AS
SELECT customer, time, NOT bool_or(resumes) AS stands
FROM (
    SELECT customer, time, contains(type, 'P') AS pauses,
        CASE WHEN resume_other THEN NOT contains(type, 'P') ELSE contains(type, 'G') END AS resumes
    FROM event, terms
)
WHERE (pauses OR resumes) AND (SELECT pausing FROM terms)
GROUP BY customer, time;

-- how much of a commitment's time is used when a minute comes; a pause that runs already counts from the trigger on
CREATE OR REPLACE TABLE clock AS
SELECT s.id, m.minute, coalesce(sum(1 - coalesce(w.stands, false)::INTEGER) OVER (
    PARTITION BY s.id ORDER BY m.minute ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::INTEGER AS used
FROM (SELECT s.*, unnest(range(s.time, 60)) AS minute FROM start s) m
JOIN start s USING (id)
ASOF LEFT JOIN switch w ON w.customer = s.customer AND w.time <= m.minute;

-- the first target that an event matches; none: the pattern's own `within`, else no deadline, which is more minutes than there are
CREATE OR REPLACE TABLE target AS
SELECT id, customer, time, type,
    CASE WHEN targeted AND priority = 1 THEN target_1 WHEN targeted AND priority = 2 THEN target_2 ELSE coalesce(within, 999) END AS target
FROM event, terms;

-- from which minute on which budget counts: from the trigger on its own, then as `escalate_target` chooses anew while nothing has ended it
CREATE OR REPLACE TABLE choice AS
SELECT s.id, s.time AS minute, -1 AS place, CASE WHEN dated THEN s.written - s.time ELSE t.target END AS budget
FROM start s JOIN target t USING (id) CROSS JOIN terms
UNION ALL
SELECT s.id, e.time, e.id, e.target
FROM start s JOIN target e ON e.customer = s.customer AND e.id <> s.id AND e.time >= s.time AND contains(e.type, 'M')
WHERE NOT EXISTS (
    SELECT * FROM event f WHERE f.customer = s.customer AND f.id <> s.id AND f.time BETWEEN s.time AND e.time AND regexp_matches(f.type, '[FCR]'));

-- the budget that counts when a minute comes; of several choices of that minute the last, unless more than that had been used already
CREATE OR REPLACE TABLE budget AS
SELECT c.id, c.minute, c.used, coalesce(
    arg_min(o.budget, o.place) FILTER (o.minute = c.minute AND c.used > o.budget), arg_max(o.budget, (o.minute, o.place))) AS budget
FROM clock c JOIN choice o ON o.id = c.id AND o.minute <= c.minute
GROUP BY c.id, c.minute, c.used;

-- when the time of a commitment is up; what is told as due is when that much had been used, which a new target can put into the past
CREATE OR REPLACE TABLE promised AS
SELECT s.id, p.minute + least(p.budget, 0) AS promised, CASE WHEN p.budget < 0 THEN promised ELSE (
    SELECT min(c.minute) FROM clock c WHERE c.id = s.id AND c.used >= p.budget) END AS told
FROM start s LEFT JOIN (
    SELECT id, min(minute) AS minute, arg_min(budget, minute) AS budget FROM budget WHERE used >= budget GROUP BY id) p USING (id);

-- the first event at or after a start that plays a part; the start itself is never evidence
CREATE OR REPLACE MACRO first_of(start_id, start_customer, start_time, part) AS (
    SELECT min(e.time) FROM event e WHERE e.customer = start_customer AND e.id <> start_id AND e.time >= start_time AND contains(e.type, part)
);

-- what happens around any pattern
CREATE OR REPLACE TABLE around AS
SELECT s.*,
    first_of(s.id, s.customer, s.time, 'F') AS failed,
    first_of(s.id, s.customer, s.time, 'C') AS cancelled,
    first_of(s.id, s.customer, s.time, 'X') AS excused,
    CASE WHEN until THEN first_of(s.id, s.customer, s.time, 'U') END AS until_came,
    r.id AS next_reset, r.time AS reset
FROM start s CROSS JOIN terms
LEFT JOIN event r ON r.id = (
    SELECT e.id FROM event e WHERE e.customer = s.customer AND contains(e.type, 'R') AND e.id <> s.id AND e.time >= s.time
        AND (NOT contains(s.type, 'R') OR (e.time, e.id) > (s.time, s.id)) ORDER BY e.time, e.id LIMIT 1);
