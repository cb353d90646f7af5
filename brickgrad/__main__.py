"""The command line: `python -m brickgrad doctor`."""

from __future__ import annotations

import argparse


def main() -> None:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m brickgrad", description="Neural networks you can see through.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser(
        "doctor", help="say what NumPy works with on this machine, measure it for a second or two, and give advice"
    )
    parser.parse_args()
    from .doctor import examine

    print(examine())


if __name__ == "__main__":
    main()
