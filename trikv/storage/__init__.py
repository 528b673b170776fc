"""trikv.storage: its design document stands here."""
