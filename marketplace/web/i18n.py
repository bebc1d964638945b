"""Two languages: Chinese first, English beside it. Catalogues are compiled when they are newer."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from apiflask import APIFlask
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import g, has_request_context, request
from flask_babel import Babel

TRANSLATIONS = Path(__file__).resolve().parent / "translations"
CHINESE = "zh_Hans_CN"
LANGUAGES = {"zh": CHINESE, "en": "en"}
"""What the cookie ``lang`` may say, and the locale it means."""

babel = Babel()


def choose_locale() -> str:
    """Return the locale of this request: the cookie's, else Chinese."""
    if has_request_context():
        return LANGUAGES.get(g.get("lang") or request.cookies.get("lang", "zh"), CHINESE)
    return CHINESE


def compile_catalogues(folder: Path = TRANSLATIONS) -> None:
    """Write each ``messages.mo`` that is missing or older than its ``messages.po``."""
    for po in folder.glob("*/LC_MESSAGES/messages.po"):
        mo = po.with_suffix(".mo")
        if mo.exists() and mo.stat().st_mtime >= po.stat().st_mtime:
            continue
        with po.open("rb") as source:
            catalogue = read_po(source, locale=po.parts[-3])
        fresh = mo.with_name(f".{secrets.token_hex(4)}.mo")
        with fresh.open("wb") as target:
            write_mo(target, catalogue)
        os.replace(fresh, mo)


def register(app: APIFlask) -> None:
    """Set up the languages and give templates the page's ``lang``."""
    compile_catalogues()
    app.config.update(
        BABEL_DEFAULT_LOCALE=CHINESE,
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
        BABEL_TRANSLATION_DIRECTORIES=str(TRANSLATIONS),
    )
    babel.init_app(app, locale_selector=choose_locale)
    app.jinja_env.add_extension("jinja2.ext.i18n")

    @app.context_processor
    def _language() -> dict[str, str]:
        chinese = choose_locale() == CHINESE
        return {"lang": "zh-CN" if chinese else "en", "other_lang": "en" if chinese else "zh"}
