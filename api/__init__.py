"""Every surface a person or a program touches: REST, health, command line, demo. It parses, calls the engine and answers."""
