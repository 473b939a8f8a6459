"""The tracking plan: what it declares, how its file is read, and how messages are judged by it."""
