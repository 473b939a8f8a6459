"""People: the command line, the server's HTTP API, the board, the scheduler and the demo.

Composes the other rooms; owns settings (the only place that reads the environment) and every loop. No analytics here.
"""
