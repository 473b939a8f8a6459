"""What can be wrong with how Onepath was started or asked.

ApiError
├── SettingsError       final: a setting is unknown, malformed or contradicts another; the start stops
└── NotRunning          no server answers, and the command needs one
"""


class ApiError(Exception):
    """Anything that `api` raises on purpose; the command line prints its one sentence."""


class SettingsError(ApiError):
    """A setting is unknown, malformed or contradicts another."""


class NotRunning(ApiError):
    """No server answers, and the command needs one."""
