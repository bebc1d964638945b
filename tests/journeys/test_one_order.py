"""The journey of one order holds on both databases."""

from sqlalchemy import create_engine

from marketplace.kernel.db import Base
from tests.journeys.one_order import main


def test_one_order_is_settled_and_repeating_every_request_changes_nothing(database_url, capsys):
    engine = create_engine(database_url)
    Base.metadata.drop_all(engine)
    engine.dispose()
    code = main(["--database", database_url])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "tables changed: none" in said
    assert "confirmed -> settled" in said
