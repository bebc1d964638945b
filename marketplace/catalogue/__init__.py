"""What can be ordered: 11 categories, 247 services, their prices and dates in force."""
