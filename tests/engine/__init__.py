"""The shell: settings, telemetry, queries, loops."""
