-- What the oracle's table shows.

-- COUNT raw records
SELECT count(*) FROM raw

-- COUNT of them ticks
SELECT count(*) FROM fates WHERE fate = 'ignored'

-- COUNT of them refused
SELECT count(*) FROM fates WHERE fate = 'refused'

-- COUNT of them applied
SELECT count(*) FROM events

-- COUNT duplicates and conflicts
SELECT (SELECT count(*) FROM fates WHERE fate = 'taken') - (SELECT count(*) FROM events)

-- COUNT journey records sent again
SELECT coalesce(sum(repeats), 0) FROM streams WHERE topic = 'journey'

-- COUNT facts sent again
SELECT coalesce(sum(repeats), 0) FROM streams WHERE topic <> 'journey'

-- COUNT commitments
SELECT count(*) FROM commitments

-- COUNT kept
SELECT count(*) FROM verdicts WHERE of = 'last' AND verdict = 'kept'

-- COUNT broken
SELECT count(*) FROM verdicts WHERE of = 'last' AND verdict = 'broken'

-- COUNT withdrawn
SELECT count(*) FROM verdicts WHERE of = 'last' AND verdict = 'withdrawn'

-- COUNT open
SELECT count(*) FROM verdicts WHERE of = 'last' AND verdict = 'open'

-- COUNT verdicts said
SELECT count(*) FROM said

-- COUNT of them corrections
SELECT count(*) FROM said WHERE kind = 'corrected'

-- COUNT cases
SELECT count(*) FROM cases

-- COUNT of them withdrawn
SELECT count(*) FROM cases WHERE state = 'withdrawn'

-- COUNT failures
SELECT count(*) FROM failures
