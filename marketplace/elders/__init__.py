"""The persons served: where they live, who speaks for them, what they can do themselves."""
