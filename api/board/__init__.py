"""The board: pages for people, rendered on the server from the same answers the API gives. No JavaScript."""
