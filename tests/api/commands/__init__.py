"""The command line's nouns, run in this process against a scripted server, or as processes against the real one."""
