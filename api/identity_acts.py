"""Operators' acts about identity on their way into the log, and identity rules from a file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.errors import ApiError
from ingest.acts import append_act
from ingest.identity.acts import check_identity_act
from ingest.identity.reading import read_rules, read_values
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.plan.plan import FORCE_DELAY_US
from ingest.record import Act


@dataclass(frozen=True)
class RulesFile:
    """Identity rules as their file has them, with the name and the hash that their act will carry."""

    rules: dict[str, Any]
    file_name: str
    sha256: str

    def details(self) -> dict[str, Any]:
        """The details of their act."""
        return {"rules": self.rules, "file_name": self.file_name, "sha256": self.sha256}


def read_rules_file(path: Path) -> RulesFile:
    """Read and validate a file of rules; raises `ApiError` or `IdentityRulesError` in words."""
    try:
        content = path.read_bytes()
        values = read_values(content.decode("utf-8"), path.name)
    except OSError as error:
        raise ApiError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ApiError(f"{path} is not UTF-8 text: {error}") from error
    read_rules(values, path.name)
    return RulesFile(values, path.name, hashlib.sha256(content).hexdigest())


def write_identity_act(log: Path, act: str, operator: str, details: dict[str, Any]) -> None:
    """Write an act into the log; the next load applies it. Raises `IdentityRulesError` where it cannot be followed."""
    written = Act(act, operator, details)
    check_identity_act(written)
    append_act(log, written)


def apply_rules(log: Path, file: RulesFile, operator: str) -> int:
    """Write rules into the log; returns from when on (microseconds since 1970 UTC) they hold for what arrives."""
    act = Act(SET_IDENTITY_RULES, operator, file.details())
    check_identity_act(act)
    return append_act(log, act) + FORCE_DELAY_US
