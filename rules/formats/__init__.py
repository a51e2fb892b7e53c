"""Other programs' files, in and out: what they say as values of ours, and every mistake in them at its line and column."""
