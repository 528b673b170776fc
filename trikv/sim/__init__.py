"""trikv.sim: its design document stands here."""
