"""One module per family of senders: which paths are theirs, what they are answered, and what their messages mean."""
