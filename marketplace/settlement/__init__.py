"""A vendor's month: what matched, what is held and why, what is paid."""
