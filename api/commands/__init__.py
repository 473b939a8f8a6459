"""The commands of `onepath`, a module per kind of work; each reads the settings, calls one thing, and prints."""
