"""Every route says who may open it."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketplace.app import create_app
from marketplace.config import Settings
from marketplace.kernel.actor import Role
from marketplace.web.auth import access_of


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory):
    """The application with everything switched on, never asked for data."""
    settings = Settings(instance=tmp_path_factory.mktemp("routes"), second_factor=True)
    return create_app(settings)


def test_every_route_declares_its_roles(routes):
    silent = [
        f"{rule.endpoint} {rule.rule}"
        for rule in routes.url_map.iter_rules()
        if access_of(routes, rule.endpoint) is None
    ]
    assert silent == []


def test_no_route_is_open_to_the_system_role(routes):
    for rule in routes.url_map.iter_rules():
        assert Role.SYSTEM not in (access_of(routes, rule.endpoint) or ()), rule.endpoint


def test_every_template_of_a_page_is_there(routes):
    folder = Path(routes.root_path) / "web" / "templates"
    for name in folder.rglob("*.html"):
        assert routes.jinja_env.get_template(name.relative_to(folder).as_posix())
