"""trikv.protocol: its design document stands here."""
