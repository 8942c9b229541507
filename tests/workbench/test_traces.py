"""From a refused record into the trace of how it came."""

import pytest

from services.workbench.api.operations import trace_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
RECORD = f'{{"id": "1", "traceparent": "00-{TRACE}-b7ad6b7169203331-01"}}'


def test_a_record_that_names_its_trace_leads_to_where_traces_are_shown() -> None:
    assert trace_of(RECORD, "https://traces.example/trace/{trace}?full") == f"https://traces.example/trace/{TRACE}?full"


@pytest.mark.parametrize(
    ("record", "address"),
    [
        (RECORD, ""),
        ('{"id": "1"}', "https://traces.example/{trace}"),
        (RECORD.replace(TRACE, TRACE[1:]), "https://traces.example/{trace}"),
        (RECORD.replace(TRACE, "javascript:alert(1)//0123456789a"), "https://traces.example/{trace}"),
    ],
)
def test_there_is_no_link_without_an_address_or_a_trace(record: str, address: str) -> None:
    assert trace_of(record, address) is None
