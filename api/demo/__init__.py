"""The demo: stand-ins for the services outside, so that everything can be seen working on one machine."""
