"""Messages over real connections to servers that speak the real protocols."""
