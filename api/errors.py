"""What can be wrong with how Onepath was started or asked.

ApiError
├── SettingsError       final: a setting is unknown, malformed or contradicts another; the start stops
├── ServiceFailed       a service did not start, or ended by itself (in running)
├── Refused             the API refused a question; the message is its reason (in asking)
└── BadDuration         a text that is no duration (in durations)
"""


class ApiError(Exception):
    """Anything that `api` raises on purpose; the command line prints its one sentence."""


class SettingsError(ApiError):
    """A setting is unknown, malformed or contradicts another."""
