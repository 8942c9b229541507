"""Traces and metrics of one process, by OpenTelemetry; no customer's key ever becomes an attribute.

A batch is one span. A single touchpoint gets spans of its own only when it came with a trace context; then its
`traceparent` (the CloudEvents extension) is handed on, so one trace leads from the way in to the case.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from contracts.metrics import BATCH_RECORDS, BATCH_SECONDS, METRICS, OUTCOMES, PARTITION, RECORDS, TOPIC, Kind, Metric
from services.chassis.redaction import told
from services.chassis.settings import Settings

log = logging.getLogger(__name__)


_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_COUNTS: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 2000.0, 4000.0)

_PROPAGATOR = TraceContextTextMapPropagator()


class Telemetry:
    """The tracer and the instruments of one process; `close` sends what is buffered."""

    def __init__(self, settings: Settings, service: str, readers: Sequence[MetricReader] = ()) -> None:
        """Telemetry to where `MAKEGOOD_TRACES` says; `none` costs next to nothing. `readers` read the metrics as well."""
        resource = Resource.create({"service.name": f"makegood-{service}"})
        self._tracing = settings.traces != "none"
        self._tracer_provider = TracerProvider(resource=resource)
        if self._tracing:
            self._tracer_provider.add_span_processor(BatchSpanProcessor(_exporter(settings.traces)))
        every = settings.measure_every * 1000
        sent = [PeriodicExportingMetricReader(OTLPMetricExporter(), every)] if settings.traces == "otlp" else []
        self.measuring = bool(sent or readers)
        """Whether anybody reads the metrics; gauges need not be sampled for nobody."""
        self._meter_provider = MeterProvider(resource=resource, metric_readers=[*sent, *readers])
        if self._tracing:
            trace.set_tracer_provider(self._tracer_provider)
            metrics.set_meter_provider(self._meter_provider)
        self._tracer = self._tracer_provider.get_tracer("makegood")
        meter = self._meter_provider.get_meter("makegood")
        self._tell = {each: _instrument(meter, each) for each in METRICS}

    def tell(self, metric: Metric, value: float, *labels: str) -> None:
        """Count, record or set one declared metric; the labels in the order of its declaration."""
        self._tell[metric](value, dict(zip(metric.labels, labels, strict=True)))

    @contextmanager
    def batch(self, topic: str, partition: int, records: Sequence[Any]) -> Iterator[None]:
        """The span around one batch of one lane; nothing where nothing was read."""
        if not records:
            yield
            return
        where = topic, str(partition)
        self.tell(RECORDS, len(records), *where)
        self.tell(BATCH_RECORDS, len(records), topic)
        began = time.monotonic()
        with self._batch_span(topic, len(records), {TOPIC: topic, PARTITION: where[1]}):
            try:
                yield
            finally:  # within the span: it is the exemplar
                self.tell(BATCH_SECONDS, time.monotonic() - began, *where)

    @contextmanager
    def _batch_span(self, topic: str, count: int, where: Mapping[str, str]) -> Iterator[None]:
        if not self._tracing:
            yield
            return
        details: dict[str, str | int] = {"messaging.system": "kafka", "messaging.batch.message_count": count, **where}
        with self._tracer.start_as_current_span(
            f"process {topic}", kind=SpanKind.CONSUMER, attributes=details, record_exception=False, set_status_on_exception=False
        ) as span:  # an exception's message may quote what was sent
            try:
                yield
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, told(error)))
                raise
            context = span.get_span_context()
            log.debug("batch traced", extra={"trace": f"{context.trace_id:032x}"})

    def outcome(self, kind: str, count: int = 1) -> None:
        """Count what became of records."""
        if count:
            self.tell(OUTCOMES, count, kind)

    def begin(self, name: str, traceparent: str | None, **attributes: str) -> str | None:
        """A span where a touchpoint comes in, with or without a trace context of its own; what the sampler leaves out gets none."""
        return self._span(name, traceparent, attributes) if self._tracing else traceparent

    def step(self, name: str, traceparent: str | None, **attributes: str) -> str | None:
        """A span for one step on a traced touchpoint's way; returns the context that the next step continues."""
        if traceparent is None or not self._tracing:
            return traceparent
        return self._span(name, traceparent, attributes)

    def _span(self, name: str, traceparent: str | None, attributes: Mapping[str, str]) -> str | None:
        parent = _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())
        links = [Link(trace.get_current_span().get_span_context())]
        kind = SpanKind.INTERNAL
        with self._tracer.start_as_current_span(name, context=parent, kind=kind, attributes=attributes, links=links) as span:
            return current_traceparent() if span.is_recording() else traceparent

    def close(self) -> None:
        """Send what is buffered, then stop."""
        self._tracer_provider.shutdown()
        self._meter_provider.shutdown()


def _instrument(meter: metrics.Meter, metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    named = metric.name, metric.unit, metric.meaning
    if metric.kind is Kind.COUNTER:
        return meter.create_counter(*named).add
    if metric.kind is Kind.GAUGE:
        return meter.create_gauge(*named).set
    return meter.create_histogram(*named, explicit_bucket_boundaries_advisory=_SECONDS if metric.unit == "s" else _COUNTS).record


def current_traceparent() -> str | None:
    """The W3C trace context of the span that is open now, None where none is recorded."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def _exporter(target: str) -> SpanExporter:
    if target == "otlp":
        return OTLPSpanExporter()
    file = Path(target).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open as long as the process
    return _FileExporter(out=file, formatter=lambda span: (span.to_json(indent=None) or "{}") + "\n")


class _FileExporter(ConsoleSpanExporter):
    """Closes its file, which the console's own exporter rightly never does."""

    def shutdown(self) -> None:
        super().shutdown()
        self.out.close()
