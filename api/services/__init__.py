"""The two services: what runs in the collector and the server, and how they are started, watched and stopped."""
