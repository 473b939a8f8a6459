"""Distributions: how many subjects did something how often."""

from models.distribution.question import (
    DEFAULT_BUCKETS,
    DistributionMeasure,
    DistributionNumber,
    DistributionQuestion,
    DistributionRow,
)
from models.distribution.statement import build_distribution
from models.questions import QuestionKind

KIND = QuestionKind(
    name="distribution",
    summary="How many persons or accounts did something how often, or with how much of a property.",
    question=DistributionQuestion,
    row=DistributionRow,
    number=DistributionNumber,
    build=build_distribution,
)

__all__ = [
    "DEFAULT_BUCKETS",
    "KIND",
    "DistributionMeasure",
    "DistributionNumber",
    "DistributionQuestion",
    "DistributionRow",
]
