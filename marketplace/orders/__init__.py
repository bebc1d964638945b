"""What was bought, and each dated visit that it makes."""
