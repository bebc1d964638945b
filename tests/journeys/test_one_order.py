"""The journey of one order holds on both databases."""

from tests.journeys.one_order import main


def test_one_order_is_settled_and_repeating_every_request_changes_nothing(empty_url, capsys):
    code = main(["--database", empty_url])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "tables changed: none" in said
    assert "confirmed -> settled" in said
