"""Things are broken on purpose, and no alert may be lost."""
