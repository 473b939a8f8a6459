"""The HTTP API of the server, a module per kind of question."""
