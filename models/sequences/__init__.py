"""The sequence functions, with ClickHouse's names and modes: one result per subject, counted."""

from models.questions import QuestionKind
from models.sequences.matching import build_count, build_match
from models.sequences.per_subject import build_next_node, build_retention
from models.sequences.questions import (
    SequenceCountNumber,
    SequenceCountQuestion,
    SequenceCountRow,
    SequenceMatchNumber,
    SequenceMatchQuestion,
    SequenceMatchRow,
    SequenceNextNodeNumber,
    SequenceNextNodeQuestion,
    SequenceNextNodeRow,
    SequenceRetentionNumber,
    SequenceRetentionQuestion,
    SequenceRetentionRow,
    WindowFunnelNumber,
    WindowFunnelQuestion,
    WindowFunnelRow,
)
from models.sequences.window_funnel import build as build_window_funnel

WINDOW_FUNNEL = QuestionKind(
    name="window-funnel",
    summary="How far subjects come along conditions within a window of time.",
    question=WindowFunnelQuestion,
    row=WindowFunnelRow,
    number=WindowFunnelNumber,
    build=build_window_funnel,
)
SEQUENCE_RETENTION = QuestionKind(
    name="sequence-retention",
    summary="Who met the first condition, and of them each of the others.",
    question=SequenceRetentionQuestion,
    row=SequenceRetentionRow,
    number=SequenceRetentionNumber,
    build=build_retention,
)
SEQUENCE_MATCH = QuestionKind(
    name="sequence-match",
    summary="Whose events contain a pattern.",
    question=SequenceMatchQuestion,
    row=SequenceMatchRow,
    number=SequenceMatchNumber,
    build=build_match,
)
SEQUENCE_COUNT = QuestionKind(
    name="sequence-count",
    summary="How often a pattern is found in the events of each subject.",
    question=SequenceCountQuestion,
    row=SequenceCountRow,
    number=SequenceCountNumber,
    build=build_count,
)
SEQUENCE_NEXT_NODE = QuestionKind(
    name="sequence-next-node",
    summary="What comes immediately after a chain of events, or before it.",
    question=SequenceNextNodeQuestion,
    row=SequenceNextNodeRow,
    number=SequenceNextNodeNumber,
    build=build_next_node,
)
KINDS = (WINDOW_FUNNEL, SEQUENCE_RETENTION, SEQUENCE_MATCH, SEQUENCE_COUNT, SEQUENCE_NEXT_NODE)

__all__ = [
    "KINDS",
    "SEQUENCE_COUNT",
    "SEQUENCE_MATCH",
    "SEQUENCE_NEXT_NODE",
    "SEQUENCE_RETENTION",
    "WINDOW_FUNNEL",
    "SequenceCountNumber",
    "SequenceCountQuestion",
    "SequenceCountRow",
    "SequenceMatchNumber",
    "SequenceMatchQuestion",
    "SequenceMatchRow",
    "SequenceNextNodeNumber",
    "SequenceNextNodeQuestion",
    "SequenceNextNodeRow",
    "SequenceRetentionNumber",
    "SequenceRetentionQuestion",
    "SequenceRetentionRow",
    "WindowFunnelNumber",
    "WindowFunnelQuestion",
    "WindowFunnelRow",
]
