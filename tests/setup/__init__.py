"""Installing Tocsin, and what `make` does on a fresh machine."""
