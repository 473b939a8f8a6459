"""Drivers of the real clients: each takes the same story, sends it with its own client, and says what it meant."""
