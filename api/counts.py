"""Counts as people read them: `1 event`, `2,000 events`."""


def count_text(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun, and with the verb where that depends on it, too; `many` is `one` with an s by default."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
