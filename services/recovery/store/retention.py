"""What recovery lets go of once it is old enough: what was told and acknowledged, and what repeats of creations were answered with.

Cases and their acts stay.
"""

from typing import Final

STATEMENTS: Final = {
    "outbox": (
        "DELETE FROM outbox o USING (SELECT x.partition, x.ordinal FROM outbox x JOIN progress p ON p.partition = x.partition "
        "AND p.topic = 'makegood.promises' WHERE x.at < $1 AND x.ordinal <= p.published ORDER BY x.partition, x.ordinal LIMIT $2) d "
        "WHERE o.partition = d.partition AND o.ordinal = d.ordinal"
    ),
    "deliveries": (
        "DELETE FROM deliveries d USING (SELECT id FROM deliveries WHERE state <> 'waiting' AND settled_at < $1 LIMIT $2) x "
        "WHERE d.id = x.id"
    ),
    "creations": (
        "DELETE FROM creations c USING (SELECT subject, key FROM creations WHERE at < $1 ORDER BY at LIMIT $2) x "
        "WHERE c.subject = x.subject AND c.key = x.key"
    ),
}
