"""The log on disk: framed records in numbered files, one folder per stream; written by one process, read by any."""
