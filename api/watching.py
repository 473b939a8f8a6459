"""The live view on the terminal: follows the log until Ctrl-C, or until nobody reads what it prints.

Lines for people are cut to the terminal; into a pipe they go whole.
"""

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from rich.console import Console

from api.printing.tail_lines import to_json, to_text
from api.services.announcing import running_collector
from api.settings import Settings
from ingest.tail import POLL_S, Arrival, Skipped, Tail, TailFilter

Show = Callable[[Arrival | Skipped], str]


def watch(settings: Settings, passes: TailFilter, *, last: int, as_json: bool, is_full: bool) -> None:
    """Print the last arrivals, then each as it comes."""
    out = Console(soft_wrap=True, highlight=False)
    show = _as_json if as_json else _as_lines(out, settings, is_full)
    tail = Tail(settings.log_folder, settings.decode, passes)
    with contextlib.suppress(KeyboardInterrupt):
        _print(show, tail.start(last))
        if sys.stderr.isatty():
            url = running_collector(settings)
            collector = f"the collector receives on {url}" if url else "no collector runs on this folder"
            sys.stderr.write(f"following {settings.log_folder}, {collector}; Ctrl-C ends it\n")
        for arrivals in _followed(tail):
            _print(show, arrivals)


def _followed(tail: Tail) -> Iterator[list[Arrival | Skipped]]:
    while _is_read():
        arrivals = tail.poll()
        yield arrivals
        if not arrivals:
            time.sleep(POLL_S)


def _as_json(shown: Arrival | Skipped) -> str:
    return to_json(shown).decode()


def _as_lines(out: Console, settings: Settings, is_full: bool) -> Show:
    zone = ZoneInfo(settings.project.project.timezone)

    def as_line(shown: Arrival | Skipped) -> str:
        with out.capture() as captured:
            out.print(to_text(shown, zone, None if is_full or not out.is_terminal else out.width), end="")
        return captured.get()

    return as_line


def _print(show: Show, arrivals: list[Arrival] | list[Arrival | Skipped]) -> None:
    try:
        for arrival in arrivals:
            sys.stdout.write(show(arrival) + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:  # `onepath tail | head` has seen enough
        # What is still buffered would raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from error


def _is_read() -> bool:
    """Whether somebody still reads our output: a closed pipe is noticed before there is something to write."""
    with contextlib.suppress(OSError, ValueError):  # not a file: a test's text
        descriptor = sys.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, 0)
        return not any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))
    return True
