"""trikv.machine: its design document stands here."""
