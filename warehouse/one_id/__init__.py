"""One-ID: which identities are one person, and how that is kept, explained and taken back."""
