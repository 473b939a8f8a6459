"""Erasing persons from records: what a deletion says, what of a record is about somebody, and what is left of it."""
