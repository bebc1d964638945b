"""Reads across contexts for screens and reports; plain dataclasses out, nothing written."""
