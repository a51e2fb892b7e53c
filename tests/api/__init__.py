"""The surfaces: REST and command line."""
