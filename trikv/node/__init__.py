"""trikv.node: its design document stands here."""
