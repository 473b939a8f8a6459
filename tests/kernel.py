"""Compile the loops of One-ID and keep them on disk, where all processes of the tests find them."""

import tempfile
from pathlib import Path

from tests.stories import StoryLog, device, event, load_story, login, native


def compile_kernel() -> None:
    """Load two messages that make a person of two identities."""
    with tempfile.TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        log.tell(native(event("look", device("tablet"))), native(event("login", {**login("li"), **device("tablet")})))
        load_story(log).close()


if __name__ == "__main__":
    compile_kernel()
