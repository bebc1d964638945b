"""What really happened at the door, with evidence."""
