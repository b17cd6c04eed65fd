"""Put a demo's own table and plot into README.md and the site's first page.

plackett demo --output plackett-demo
python scripts/readme.py plackett-demo
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "assets" / "demo.svg"
PAGES = (ROOT / "README.md", ROOT / "docs" / "index.md")
BEGIN, END = "<!-- demo:begin -->\n", "<!-- demo:end -->"
TITLE = re.compile(r"<title>([^<]*)</title>")


def excerpt(folder: Path, picture: str) -> str:
    """The verdict, the table of means, the plot, and what they rest on.

    `table.md` has paragraphs: the verdict, the means, the differences, the notes.
    """
    table = (folder / "table.md").read_text(encoding="utf-8").replace("\\<", "&lt;")
    verdict, means, _, notes = table.strip().split("\n\n")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    folds = manifest["experiment"]["folds"]["k"]
    title = TITLE.search((folder / "means.svg").read_text(encoding="utf-8"))
    alternative = title[1] if title else "The means"
    marks, *_ = (note.removeprefix("- ") for note in notes.splitlines())
    return (
        f"{verdict}\n\n{means}\n\n![{alternative}]({picture})\n\n"
        f"{folds}-fold cross-validation over queries: every query is ranked by a model that never "
        f"saw it.\n\n{marks}\n"
    )


def main() -> None:
    """Copy the plot and fill the pages between their markers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what `plackett demo --output` wrote")
    folder = parser.parse_args().folder
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "means.svg", PICTURE)
    for page in PAGES:
        head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        _, found, tail = rest.partition(END)
        if not found:
            raise SystemExit(f"{page.name} has no place for the demo: {BEGIN.strip()} ... {END}")
        shown = excerpt(folder, PICTURE.relative_to(page.parent).as_posix())
        page.write_text(f"{head}{BEGIN}{shown}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
