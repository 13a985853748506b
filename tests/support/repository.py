"""Where the repository's own files are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
DOCS = ROOT / "docs"
