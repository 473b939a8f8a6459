"""What every test starts from."""

import gc
import os
import signal
from pathlib import Path

# A shell that starts a command in the background, and nohup, make it ignore Ctrl-C; so would what a test
# starts and interrupts. A handler of one's own is not inherited: what is started has the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test speaks TLS: httpx, which would read all certificates for each request, looks for them where there are none.
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


def pytest_collection_finish() -> None:
    """What all files import stays: the garbage collector need not look through it again and again."""
    gc.freeze()
