"""The sign-ins of a demonstration city: one for each role, named as the role."""

from __future__ import annotations

from marketplace.kernel.actor import Role

DEMO_PASSWORD = "nuanju-demo"  # noqa: S105  printed on the sign-in page of a demo, and only there
DEMO_ROLES = (
    Role.ELDER,
    Role.FAMILY,
    Role.HOTLINE,
    Role.COMMUNITY,
    Role.VENDOR,
    Role.CAREGIVER,
    Role.STREET,
    Role.BUREAU,
    Role.AUDITOR,
)
"""The user name of each is the role's value: ``elder``, ``family`` ..."""
