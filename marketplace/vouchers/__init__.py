"""Programmes, entitlements, the split of a price, and the ledger that none of it can leave."""
