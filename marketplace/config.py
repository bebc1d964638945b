"""Settings, read once at the start from the environment; a bad one stops the start and is named."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All configuration. Names are environment variables with the prefix ``NUANJU_``.

    ``DATABASE_URL`` and ``REDIS_URL`` are read without a prefix, as hosts set them.
    """

    model_config = SettingsConfigDict(env_prefix="NUANJU_", extra="ignore")

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL")
    instance: Path = Path("instance")
    secret_key: str | None = None
    data_key: str | None = None
    log_level: str = "INFO"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    web_workers: int = Field(default=2, ge=1, le=64)
    secure_cookies: bool = False
    proxies: int = Field(default=0, ge=0, le=8)
    demo: bool = False
    second_factor: bool | None = None
    staff_idle_minutes: int = Field(default=30, ge=1, le=720)
    gazetteer: Path | None = None
    geocoder: Literal["none", "tianditu", "amap", "baidu", "nominatim"] = "none"
    geocoder_key: str | None = None
    geocoder_host: str | None = None
    tianditu_key: str | None = None

    model_config["populate_by_name"] = True

    @field_validator("database_url")
    @classmethod
    def _driver(cls, url: str | None) -> str | None:
        if url and url.startswith("postgres://"):
            return "postgresql+psycopg://" + url.removeprefix("postgres://")
        if url and url.startswith("postgresql://"):
            return "postgresql+psycopg://" + url.removeprefix("postgresql://")
        return url

    @property
    def sqlalchemy_url(self) -> str:
        """Return the database to use: ``DATABASE_URL``, else one SQLite file under the instance folder."""
        return self.database_url or f"sqlite:///{(self.instance / 'nuanju.sqlite3').resolve()}"

    @property
    def second_factor_wanted(self) -> bool:
        """Return whether staff must give a code: as configured, else everywhere but in the demo."""
        return not self.demo if self.second_factor is None else self.second_factor

    def secret(self, name: str) -> str:
        """Return a configured secret, or one made once and kept in the instance folder (mode 600).

        A cluster must configure its secrets; a single machine need not.
        """
        given: str | None = getattr(self, name)
        if given:
            return given
        path = self.instance / f"{name}.txt"
        if not path.exists():
            self.instance.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{secrets.token_hex(4)}")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(48))
            try:
                path.hardlink_to(fresh)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()
