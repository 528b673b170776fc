"""trikv.machine.commands: its design document stands here."""
