"""Generated requests against the published document: no fault, no undocumented answer."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, note, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock
from tests.api.conftest import populate, sign_in
from tests.databases import MONDAY_MORNING, SECRETS, Databases

EXAMPLES = 4
"""Cases of an operation and mode; the long lane multiplies it."""
ROLES = ("elder", "hotline", "vendor", "caregiver")


@pytest.fixture(scope="module")
def fuzzed(sqlite_databases: Databases, tmp_path_factory):
    """An application on an SQLite file of its own, with accounts; faults are answered, not raised."""
    url = sqlite_databases.copy(sqlite_databases.beginning(None))
    folder = tmp_path_factory.mktemp("fuzz")
    app = create_app(
        Settings(
            database_url=url,
            instance=folder,
            log_level="CRITICAL",
            second_factor=False,
            **SECRETS,
        ),
        clock=FrozenClock(MONDAY_MORNING),
    )
    app.config["RATELIMIT_ENABLED"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    populate(app)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="module")
def signed_in(fuzzed) -> dict[str, str | None]:
    """Role -> token."""
    return {name: sign_in(fuzzed, name).token for name in ROLES}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_generated_request_of_any_role_breaks_the_document(fuzzed, signed_in, mode):
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", fuzzed)
    tried = 0

    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/tokens"):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def run(case):
            nonlocal tried
            # Making a case costs more than sending it: each is sent by every role.
            for username, token in signed_in.items():
                tried += 1
                note(username)
                # A body that fits its schema may still be refused by a rule (422), as the document says.
                case.call_and_validate(
                    headers={"Authentication-Token": token},
                    excluded_checks=[positive_data_acceptance],
                )

        try:
            run()
        except Unsatisfiable:
            # An operation without inputs has nothing that could be wrong.
            if mode is GenerationMode.POSITIVE:
                raise
    assert tried > 20 * len(signed_in)
