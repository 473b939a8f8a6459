"""What the commands print: tables and lines for people, on a terminal."""
