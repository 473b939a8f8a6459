"""What every type that a question is made of has in common."""

from typing import ClassVar


class Part:
    """A part of a question; where it is read from JSON, a field of another name is a mistake and not passed over."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
