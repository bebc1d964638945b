"""Accounts and roles. Flask-Security's mixins give the columns that its sign-in needs."""

from __future__ import annotations

from datetime import datetime

from flask import current_app
from flask_security.core import RoleMixin, UserMixin
from sqlalchemy import JSON, Boolean, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.config import Settings
from marketplace.kernel.actor import Role
from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id

STAFF = frozenset(
    {Role.HOTLINE, Role.COMMUNITY, Role.VENDOR, Role.STREET, Role.BUREAU, Role.AUDITOR}
)
"""Roles that see other people's data at a desk: a second factor, and an end after idle minutes."""


class AccountRole(Base):
    """Which roles an account holds."""

    __tablename__ = "account_role"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    role_id: Mapped[str] = mapped_column(ForeignKey("role.id"), primary_key=True)


class RoleRow(Base, RoleMixin):  # type: ignore[misc]
    """A role of ``marketplace.kernel.actor.Role``; its name is the enum's value."""

    __tablename__ = "role"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    description: Mapped[str | None] = mapped_column(String(200))
    permissions: Mapped[list[str] | None] = mapped_column(JSON)


class Account(Base, UserMixin):  # type: ignore[misc]
    """A person who signs in. The scope columns say what the role reaches (see ``Actor``).

    ``tf_last_counter``: the half minute (since 1970) of the last one-time code that was used.
    """

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    display_name: Mapped[str] = mapped_column(String(80))
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    fs_token_uniquifier: Mapped[str | None] = mapped_column(String(64), unique=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    last_login_at: Mapped[datetime | None] = mapped_column(Instant)
    current_login_at: Mapped[datetime | None] = mapped_column(Instant)
    last_login_ip: Mapped[str | None] = mapped_column(String(64))
    current_login_ip: Mapped[str | None] = mapped_column(String(64))
    login_count: Mapped[int | None] = mapped_column(default=0)
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    tf_last_counter: Mapped[int | None]
    tf_phone_number: Mapped[str | None] = mapped_column(String(128))
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(JSON)
    us_phone_number: Mapped[str | None] = mapped_column(String(128), unique=True)
    us_totp_secrets: Mapped[str | None] = mapped_column(Text)

    elder_id: Mapped[str | None] = mapped_column(ForeignKey("elder.id"), index=True)
    vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    caregiver_id: Mapped[str | None] = mapped_column(ForeignKey("caregiver.id"), index=True)
    district_code: Mapped[str | None] = mapped_column(String(6))
    town_code: Mapped[str | None] = mapped_column(String(9))

    roles: Mapped[list[RoleRow]] = relationship(secondary="account_role", lazy="selectin")

    def check_tf_required(
        self, tf_setup_methods: list[tuple[str, str]], tf_fresh: bool
    ) -> tuple[bool, list[tuple[str, str]]]:
        """Ask staff always, and whoever set a second factor up, for its code."""
        return self.check_tf_required_setup() or bool(tf_setup_methods), tf_setup_methods

    def check_tf_required_setup(self) -> bool:
        """Return whether this account may not go without a second factor.

        Asked at each sign-in, not once at the start: a demonstration is declared after the start.
        """
        settings: Settings = current_app.extensions["settings"]
        return settings.second_factor_wanted and any(role.name in STAFF for role in self.roles)
