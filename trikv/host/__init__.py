"""trikv.host: its design document stands here."""
