"""The outside world, and stand-ins for it. Imported by ``marketplace.app`` only."""
