"""Who may be one person: the keys that identities have, and the rules of a project about them."""
