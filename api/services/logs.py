"""The services' own logs: JSON lines for machines, coloured text in a terminal, on standard error.

No line ever holds what somebody sent: no bodies, identities, property values, addresses, tokens or keys. Messages of
exceptions quote what they failed on, so of an exception only its types and places are written; where it was about the
log or the disk, what the system said as well.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ingest.errors import LogError

LogFormat = Literal["auto", "json", "text"]
# Libraries that log what they are asked to do; `httpx` would write whole addresses.
_QUIET = {
    "apscheduler": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "sqlglot": logging.WARNING,
}
_MAX_TEXT_CHARS = 500

logger = logging.getLogger("onepath")


def set_up_logs(form: str = "auto", stream: TextIO | None = None) -> None:
    """From now on everything that logs, ours and the libraries', writes such lines; what nobody caught too."""
    stream = sys.stderr if stream is None else stream
    is_text = form == "text" or (form == "auto" and stream.isatty())
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_chain(), processors=_rendering(is_text, stream))
    )
    root = logging.getLogger()
    for other in [each for each in root.handlers if isinstance(each, _Handler) or type(each) is logging.StreamHandler]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[*_chain(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    threading.excepthook = _log_thread_failure
    sys.unraisablehook = _log_unraisable


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        # The default prints the arguments of the line that could not be written.
        sys.stderr.write(f'{{"event": "a line of the log could not be written", "logger": "{record.name}"}}\n')


def _chain() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _rendering(is_text: bool, stream: TextIO) -> list[Processor]:
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at")
        if is_text
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
    )
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_quotes, last]


def _without_quotes(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Replace an exception by its types and places; keep one short line of text."""
    error = _error_of(line.pop("exc_info", None))
    if error is not None:
        line["error"] = describe(error)
        line["where"] = " < ".join(_places(error.__traceback__))
    # Libraries put the words of an exception behind the first line of their text, asyncio its whole repr.
    line["event"] = str(line["event"]).partition("\n")[0][:_MAX_TEXT_CHARS]
    return line


def _error_of(exc_info: Any) -> BaseException | None:
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def describe(error: BaseException) -> str:
    """The types of an exception and its causes. Its words only where they cannot be a sender's: of log and disk."""
    causes, seen = list[str](), set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        causes.append(_described(each))
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return " < ".join(causes)


def _described(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}"
    return f"{kind}: {error}" if isinstance(error, LogError) else kind


def _places(trace: TracebackType | None) -> list[str]:
    """Where it happened, innermost first, ours and the libraries'."""
    frames = traceback.extract_tb(trace)[-12:]
    return [
        f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    ]


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is SystemExit:
        return
    name = failure.thread.name if failure.thread is not None else "?"
    logger.error("the thread %s ended by an exception", name, exc_info=failure.exc_value)


def _log_unraisable(failure: "sys.UnraisableHookArgs") -> None:
    logger.error("an exception could not be raised where it happened", exc_info=failure.exc_value)
