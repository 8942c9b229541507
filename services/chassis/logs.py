"""Logs as JSON lines: one line an event that matters, with its trace; never what a customer sent, nor a message that may quote it."""

import logging
import sys

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger

from services.chassis.redaction import traced


def configure_logs(service: str, level: str) -> None:
    """Send every logger of the process to standard error, one JSON object a line."""

    def add_origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
        return event

    def add_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        found = event.pop("exc_info", None)
        error = found if isinstance(found, BaseException) else found[1] if isinstance(found, tuple) else sys.exc_info()[1]
        if found and error is not None:
            event["exception"] = traced(error)
        return event

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_origin,
            add_error,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )

    def die(_kind: type[BaseException], error: BaseException, _where: object) -> None:
        logging.getLogger(service).critical("died", exc_info=error)

    sys.excepthook = die
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for each in ("aiokafka", "httpx2"):  # of every request the whole address: customers stand in it
        logging.getLogger(each).setLevel(logging.WARNING)
