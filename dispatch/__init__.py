"""Give each task of a day a caregiver and a time that break no rule, and say why.

A pure library: dataclasses in, a checked plan out. It knows neither Flask nor a database.
"""
