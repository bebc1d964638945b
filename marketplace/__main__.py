"""``python -m marketplace``."""

from marketplace.cli import cli


def main() -> None:
    """Run the command line."""
    cli(prog_name="marketplace")


if __name__ == "__main__":
    main()
