"""One file for each step of an order's life: one transaction, one audit event."""
