"""What goes over the wire, noun by noun: pydantic models in and out, with explicit ways to and from the domain's values."""
