"""What journey lets go of once it is old enough: by what repeats are known, and the bytes of refused records that were settled.

Timelines, pictures and verdicts rest on the journal and the facts, so those stay.
"""

from typing import Final

STATEMENTS: Final = {
    "seen": "DELETE FROM seen WHERE (day, event) IN (SELECT day, event FROM seen WHERE day < ($1::timestamptz)::date LIMIT $2)",
    "quarantine": (
        "UPDATE quarantine q SET key = NULL, value = NULL, headers = '[]' FROM (SELECT lane, position FROM quarantine "
        "JOIN quarantine_acts a USING (lane, position) WHERE a.at < $1 AND headers <> '[]'::bytea LIMIT $2) o "
        "WHERE q.lane = o.lane AND q.position = o.position"
    ),
}
