-- What every oracle starts from: the events known at `as_of`, what opens commitments, and how much of a budget is used by which minute.
-- Written from PROMISES.md. An event's type is the letters of the parts it plays; times are whole minutes.
CREATE TABLE happened (id INTEGER, customer INTEGER, type VARCHAR, time INTEGER, arrival INTEGER, priority INTEGER, written INTEGER, value INTEGER);
CREATE TABLE terms (
    as_of INTEGER, first BOOLEAN, within INTEGER, dated BOOLEAN, count INTEGER, strictly BOOLEAN, grace INTEGER, until BOOLEAN,
    pausing BOOLEAN, resume_other BOOLEAN, targeted BOOLEAN, target_1 INTEGER, target_2 INTEGER,
    soonest INTEGER, at_most INTEGER, sliding INTEGER, every INTEGER, early BOOLEAN, must VARCHAR
);
CREATE TABLE steps (number INTEGER, within INTEGER, from_previous BOOLEAN);
