"""暖居 Nuanju: orders, entitlements, visits and settlement of a city's home care."""

__version__ = "0.1.0"
