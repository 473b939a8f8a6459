"""Receiving: from an HTTP request to an answer that is given when the record is on disk."""
