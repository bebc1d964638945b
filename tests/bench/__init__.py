"""Benches and attacks that are too long for the suite; each is run with ``python -m``."""
