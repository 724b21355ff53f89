# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a data folder: `python -m training.check_data DIR`.

Every file that training and benchmarks read is listed with its SHA-256 in `data_files.json`; `training/README.md` says
where each comes from. Exit code 0 when all are there and as they were, 1 otherwise. `--write` makes the list anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

LIST = Path(__file__).parent / "data_files.json"
UNREAD = (".md", ".txt", ".png")  # licences, notes, textures


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_faults(folder: Path, expected: dict[str, str]) -> list[str]:
    """One line for every file that is missing or different."""
    faults = []
    for name, wanted in expected.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif hash_file(path) != wanted:
            faults.append(f"{name}: not the file this project was trained on")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify a data folder.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--write", action="store_true", help="list what the folder holds now")
    options = parser.parse_args()
    if options.write:
        files = sorted(p for p in options.folder.rglob("*") if p.is_file() and p.suffix not in UNREAD)
        found = {
            p.relative_to(options.folder).as_posix(): hash_file(p) for p in files if not p.name.startswith("LICENSE")
        }
        LIST.write_text(json.dumps(found, indent=0) + "\n")
        print(f"{LIST}: {len(found)} files")
        return 0
    expected = json.loads(LIST.read_text())
    faults = find_faults(options.folder, expected)
    for line in faults:
        print(line)
    print(f"{options.folder}: {len(expected) - len(faults)} of {len(expected)} files are as they should be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
