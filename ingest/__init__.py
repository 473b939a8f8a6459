"""Bytes: receive requests, keep them durably in the log, decode them into messages.

Promises: what was acknowledged is on disk; the same record always decodes to the same messages; what is refused is kept
with its reason. Touches HTTP, the log and a clock; knows nothing of tables, SQL or persons.
"""
