"""Breaks made on purpose in what decides who hears what, and which tests notice them (`make mutants`)."""
