"""Configuration files of Alertmanager: `good` ones that 0.25 takes, ones with what is `newer`, and `bad` ones."""
