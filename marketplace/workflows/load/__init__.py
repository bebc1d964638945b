"""Load a bureau's registers and orders from files: a preview first, then all or nothing per file."""
