"""The configured stages as one SELECT, for the marts: every event that enters a stage, with the stage it enters.

Unlike a question's, a configured filter may name a property that no event has carried yet: such a filter finds it missing.
"""
