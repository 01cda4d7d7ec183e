"""How logs look: JSON lines for machines, colours for a terminal. What an error says is in neither."""

import logging
import sys
from types import TracebackType

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from entrypoints.failures import course_of
from entrypoints.request_lines import TellLine, WrittenLines, tell_line

log = structlog.get_logger()


def configure_logs(log_format: str) -> TellLine:
    """Write structured logs to standard error: JSON, or for people where that is a terminal ("auto").

    Return what writes the lines of requests among them.
    """
    people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_course,
    ]
    if people:
        structlog.configure(
            processors=[*shared, _in_lines, structlog.dev.ConsoleRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
    else:
        encoder = msgspec.json.Encoder(enc_hook=str)
        structlog.configure(
            processors=[
                *shared,
                structlog.processors.JSONRenderer(serializer=lambda event, **_: encoder.encode(event)),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(handlers=[_Libraries(logging.WARNING)], force=True)
    sys.excepthook = _tell_the_last
    return tell_line if people else WrittenLines(sys.stderr.buffer)


def _tell_the_last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell in the same way of what ends the process, which Python would write out with its text."""
    if isinstance(error, Exception):
        log.critical("process_failed", exc_info=error)
    else:
        sys.__excepthook__(kind, error, trace)


def _with_course(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Tell of an exception where it came from; its text may hold what a database or a far side repeats."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given is True else None
    if error is not None:
        event["exception"] = course_of(error)
    return event


def _in_lines(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "exception" in event:
        event["exception"] = "\n".join(event["exception"])
    return event


class _Libraries(logging.Handler):
    """What libraries log would go to standard error as it is, with the text of every exception."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # The first line of what they have written themselves, before values are put into it.
        text = str(record.msg).partition("\n")[0]
        log.warning("library_complained", logger=record.name, text=text, exc_info=error)
