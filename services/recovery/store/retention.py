"""What recovery lets go of once it is old enough: what was told and acknowledged. Cases and their acts stay."""

from typing import Final

STATEMENTS: Final = {
    "outbox": (
        "DELETE FROM outbox o USING (SELECT x.partition, x.ordinal FROM outbox x JOIN progress p ON p.partition = x.partition "
        "AND p.topic = 'makegood.promises' WHERE x.at < $1 AND x.ordinal <= p.published ORDER BY x.partition, x.ordinal LIMIT $2) d "
        "WHERE o.partition = d.partition AND o.ordinal = d.ordinal"
    )
}
