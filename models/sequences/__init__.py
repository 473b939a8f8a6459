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
    "window-funnel",
    "How far subjects come along conditions within a window of time.",
    WindowFunnelQuestion,
    WindowFunnelRow,
    WindowFunnelNumber,
    build_window_funnel,
)
SEQUENCE_RETENTION = QuestionKind(
    "sequence-retention",
    "Who met the first condition, and of them each of the others.",
    SequenceRetentionQuestion,
    SequenceRetentionRow,
    SequenceRetentionNumber,
    build_retention,
)
SEQUENCE_MATCH = QuestionKind(
    "sequence-match",
    "Whose events contain a pattern.",
    SequenceMatchQuestion,
    SequenceMatchRow,
    SequenceMatchNumber,
    build_match,
)
SEQUENCE_COUNT = QuestionKind(
    "sequence-count",
    "How often a pattern is found in the events of each subject.",
    SequenceCountQuestion,
    SequenceCountRow,
    SequenceCountNumber,
    build_count,
)
SEQUENCE_NEXT_NODE = QuestionKind(
    "sequence-next-node",
    "What comes immediately after a chain of events, or before it.",
    SequenceNextNodeQuestion,
    SequenceNextNodeRow,
    SequenceNextNodeNumber,
    build_next_node,
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
