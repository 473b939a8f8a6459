"""Answers: a question in, an answer out.

The rules of each question are written in docs/concepts; the SQL behind an answer can be printed without running it.
Reads the warehouse through snapshots; writes nothing, knows nothing of HTTP.
"""
