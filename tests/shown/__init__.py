"""The messages of docs/messages.md as they are: one incident, told by every kind of channel."""
