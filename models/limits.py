"""How much one question may ask for. What reaches beyond is refused: it would only be answered late, or by nobody."""

LONGEST_S = 100 * 366 * 24 * 60 * 60
"""The longest time between two events that a question can name: about 100 years, in seconds."""
