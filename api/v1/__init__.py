"""The native REST API: each noun parses, calls the stores or the engine, and answers; nothing is decided here."""
