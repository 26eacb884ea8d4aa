"""What the documents point to is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
# A file or folder of ours in backquotes: with a slash, and beginning with a folder of the repository.
PLACE = re.compile(r"`((?:\.ci|benchmarks|deployments|docs|flows|infra|onc_mirror|tasks|tests)/[\w./-]*)`")
MAKE = re.compile(r"`make ([a-z-]+)[^`]*`|^make ([a-z-]+)", re.MULTILINE)


def documents() -> list[Path]:
    command = ["git", "ls-files", "-z", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_every_link_leads_to_a_file() -> None:
    links = [(path, link) for path in documents() for link in LINK.findall(path.read_text(encoding="utf-8"))]

    assert links
    assert not [f"{path.relative_to(ROOT)}: {link}" for path, link in links if not (path.parent / link).exists()]


def test_every_place_in_the_repository_that_is_named_is_there() -> None:
    places = [(path, place) for path in documents() for place in PLACE.findall(path.read_text(encoding="utf-8"))]

    assert len(places) > 10
    assert not [f"{path.relative_to(ROOT)}: {place}" for path, place in places if not (ROOT / place).exists()]


def test_every_make_target_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    named = {"".join(found) for path in documents() for found in MAKE.findall(path.read_text(encoding="utf-8"))}
    named |= set(re.findall(r"\bmake ([a-z-]+)", script))

    assert len(named) > 4
    assert named <= targets
