"""What the engine costs to run, measured against real peers; `make bench`."""
