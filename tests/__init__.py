"""What Tocsin promises, shown by running it."""
