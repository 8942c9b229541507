"""Keys as the database's driver makes them are the keys that everybody else computes."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as some

from services.chassis.keys import fast, named


@given(some.uuids(), some.text())
def test_a_name_has_the_uuid_version_5_of_the_standard(namespace: UUID, name: str) -> None:
    """Breaks if a commitment's id depends on which service works it out."""
    assert named(namespace, name) == uuid5(namespace, name)
    assert hash(named(namespace, name)) == hash(fast(uuid5(namespace, name)))
