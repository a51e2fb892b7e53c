"""The house rules that a program can check: who imports whom, who reads the clock, what is documented."""
