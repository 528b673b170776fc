"""trikv.raft: its design document stands here."""
