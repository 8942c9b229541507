"""What the workbench's role may do with its one table."""

from typing import Final

from services.chassis.rights import ADD, Rights

RIGHTS: Final[Rights] = {"sessions": (*ADD, "DELETE")}
