"""Funnels: how subjects go through a list of steps, over time, and how long they need (docs/concepts/funnel.md)."""

from models.funnel.conversion_time import (
    TIME_TO_CONVERT,
    TimeToConvertNumber,
    TimeToConvertQuestion,
    TimeToConvertRow,
)
from models.funnel.definition import Exclusion, FunnelDefinition, FunnelStep
from models.funnel.steps import FUNNEL, FunnelNumber, FunnelQuestion, FunnelRow
from models.funnel.trend import FUNNEL_TREND, FunnelTrendNumber, FunnelTrendQuestion, FunnelTrendRow

__all__ = [
    "FUNNEL",
    "FUNNEL_TREND",
    "TIME_TO_CONVERT",
    "Exclusion",
    "FunnelDefinition",
    "FunnelNumber",
    "FunnelQuestion",
    "FunnelRow",
    "FunnelStep",
    "FunnelTrendNumber",
    "FunnelTrendQuestion",
    "FunnelTrendRow",
    "TimeToConvertNumber",
    "TimeToConvertQuestion",
    "TimeToConvertRow",
]
