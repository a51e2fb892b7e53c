"""The decisions, tested as tables and properties; no fixtures."""
