"""Check a file of known sources: ``python -m lowslow_assets.known_sources [FILE]``.

Without FILE, it checks the file that LOWSLOW_KNOWN_SOURCES names. The exit code is 1 if the file
cannot be used.
"""

import argparse
import sys
from datetime import UTC, datetime

from lowslow_assets.hunting.known_sources import check
from lowslow_assets.settings import read_settings


def main() -> None:
    """Report for every entry whether it is valid, and what a person should check again."""
    parser = argparse.ArgumentParser(prog="python -m lowslow_assets.known_sources")
    parser.add_argument("file", nargs="?", default=read_settings().known_sources)
    path = parser.parse_args().file
    if not path:
        sys.exit("Name a file, or set LOWSLOW_KNOWN_SOURCES.")
    lines, usable = check(path, datetime.now(UTC).date())
    print("\n".join(lines))
    if not usable:
        sys.exit(f"{path} cannot be used: no hunt takes a file with anything wrong in it.")


if __name__ == "__main__":
    main()
