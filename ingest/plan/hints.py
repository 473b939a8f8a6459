"""Hints: which declared name a sender may have meant.

A look-up costs a few microseconds however many names there are, and gives the same on every replay: a sender who makes
up names must not slow the loading of all others.
"""

from bisect import bisect_left
from collections.abc import Iterable

# A name that is the beginning of another says what was meant only when it is not the beginning of many.
_LEAST_PREFIX_CHARS = 4


class Hints:
    """Finds a name that equals another but for case and punctuation, one wrong letter, or a missing ending."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_letters: dict[str, str] = {}
        for name in names:
            self._by_letters.setdefault(_letters(name), name)
        self._sorted = sorted(self._by_letters)
        # A letter too many, one too few, a wrong one or two swapped: with one letter less the two are equal.
        self._by_less: dict[str, str] = {}
        for letters, name in self._by_letters.items():
            for less in (letters, *_one_less(letters)):
                self._by_less.setdefault(less, name)

    def for_name(self, name: str) -> str | None:
        """The name that may have been meant."""
        letters = _letters(name)
        if letters in self._by_letters:
            return self._by_letters[letters]
        for less in (letters, *_one_less(letters)):
            if less in self._by_less:
                return self._by_less[less]
        return self._with_other_ending(letters)

    def _with_other_ending(self, letters: str) -> str | None:
        place = bisect_left(self._sorted, letters)
        for near in self._sorted[max(place - 1, 0) : place + 1]:
            shorter, longer = sorted((near, letters), key=len)
            if len(shorter) >= _LEAST_PREFIX_CHARS and longer.startswith(shorter):
                return self._by_letters[near]
        return None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name[:255].casefold())) or name[:255]


def _one_less(letters: str) -> Iterable[str]:
    return (letters[:at] + letters[at + 1 :] for at in range(len(letters))) if len(letters) > 2 else ()
