"""trikv.bench: its design document stands here."""
