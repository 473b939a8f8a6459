"""What every test starts from."""

import signal

# A shell that starts a command in the background, and nohup, make it ignore Ctrl-C; so would what a test
# starts and interrupts. A handler of one's own is not inherited: what is started has the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)
