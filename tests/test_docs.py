"""The documentation tells the truth: its code runs, its output is right, its links lead on.

Each page is played from top to bottom in a folder of its own:

- a block with a title is a file, and is written under that name;
- a `python` block runs; one with `>>>` must print what the page shows, one without may be followed
  by a `text` block that shows what it printed;
- in a `console` block every `$ plackett ...` runs. It must print what stands below it, if anything
  does; where that begins with `plackett: `, it must fail with that message.

`...` in an output stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, get_args

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from plackett import features
from plackett._registry import Registry
from plackett.cli import app
from plackett.data.formats.registry import RUNS
from plackett.errors import PlackettError
from plackett.experiment import ExperimentConfig
from plackett.metrics import known_measures

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]
REGISTRIES = {
    "plackett.metrics.base": "_REGISTRY",
    "plackett.features.registry": "_FEATURES",
    "plackett.rankers.registry": "_RANKERS",
    "plackett.rerankers.registry": "_RERANKERS",
    "plackett.retrievers.analysis.base": "ANALYZERS",
}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CHECKER = doctest.OutputChecker()

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S
)
TITLE = re.compile(r'title="([^"]+)"')
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*?)(?: *\{ *#([\w-]+) *\})?$", re.M)


class Block(NamedTuple):
    """A fenced block: its language, its title, its text, and the line it begins on."""

    language: str
    title: str | None
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(source):
        indent = len(match["indent"])
        text = "".join(line[indent:] or "\n" for line in match["body"].splitlines(keepends=True))
        title = TITLE.search(match["info"])
        language = match["info"].split()[0] if match["info"].strip() else ""
        line = source.count("\n", 0, match.start()) + 1
        yield Block(language, title[1] if title else None, text, line)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and the output shown below it."""
    command, shown = "", ""
    for line in text.replace("\\\n", " ").splitlines(keepends=True):
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:].strip(), ""
        else:
            shown += line
    if command:
        yield command, shown


def expect(shown: str, printed: str, where: str) -> None:
    """The output must be what the page shows."""
    assert CHECKER.check_output(shown.strip() + "\n", printed.strip() + "\n", OPTIONS), (
        f"{where} shows\n{shown}\nbut this comes out:\n{printed}"
    )


def play_command(command: str, shown: str, where: str) -> None:
    """Run one command line in this process; `> FILE` at its end takes the output."""
    words = shlex.split(command, comments=True)[1:]
    target = words.pop() if ">" in words else ""
    result = CliRunner().invoke(app, [word for word in words if word != ">"])
    if isinstance(result.exception, PlackettError | OSError):
        message = f"plackett: {result.exception}"
        assert shown.startswith("plackett: "), f"{where}: {command}\n{message}"
        expect(shown, message, where)
        return
    assert result.exit_code == 0, f"{where}: {command}\n{result.output}{result.exception!r}"
    assert not shown.startswith("plackett: "), f"{where}: {command} did not fail"
    if target:
        Path(target).write_text(result.stdout, encoding="utf-8")
    elif shown.strip():
        expect(shown, result.output, where)


def play_python(block: Block, names: dict[str, object], page: Path, where: str) -> str:
    """Run a block of Python, or check it as a session with `>>>`; the answer is what it printed."""
    if ">>> " not in block.text:
        padding = "\n" * block.line
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(padding + block.text, str(page), "exec"), names)
        return printed.getvalue()
    session = doctest.DocTestParser().get_doctest(block.text, {}, page.name, str(page), block.line)
    session.globs = names
    told: list[str] = []
    runner = doctest.DocTestRunner(CHECKER, verbose=False, optionflags=OPTIONS)
    runner.run(session, out=told.append, clear_globs=False)
    assert not told, f"{where}\n{''.join(told)}"
    return ""


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page registers is forgotten after it."""
    known_measures()
    features.names()
    for module, name in REGISTRIES.items():
        home = importlib.import_module(module)
        known = getattr(home, name)
        if isinstance(known, Registry):
            monkeypatch.setattr(known, "_members", dict(known))
        else:
            monkeypatch.setattr(home, name, dict(known))
    for name in ("_formats", "_suffixes"):
        monkeypatch.setattr(RUNS, name, dict(getattr(RUNS, name)))


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # dataclasses look their module up
    names, printed = vars(module), ""
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.title is not None:
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            printed = play_python(block, names, page, where)
        elif block.language == "text" and printed:
            expect(block.text, printed, where)
        elif block.language == "console":
            for command, shown in commands(block.text):
                if command.startswith("plackett "):
                    play_command(command, shown, where)


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    plain = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).strip().lower()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_resolve(page: Path) -> None:
    for match in LINK.finditer(prose(page)):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            found = HEADING.finditer(prose(target))
            anchors = {heading[2] or slug(heading[1]) for heading in found}
            assert anchor in anchors, f"{page.name} links to {link}; {sorted(anchors)}"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.glob("**/*.md"):
        assert f": {page.relative_to(DOCS)}\n" in navigation


def test_site_needs_nothing_from_elsewhere() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in settings
    assert "http" not in settings


@pytest.mark.parametrize("table", ["measures", "features"])
def test_generated_tables_are_current(table: str) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "tables.py"))
    page = (DOCS / f"{table}.md").read_text(encoding="utf-8")
    assert script["TABLES"][table]() in page, "run: python scripts/tables.py"


def test_measures_page_lists_every_measure() -> None:
    page = (DOCS / "measures.md").read_text(encoding="utf-8")
    for name in known_measures():
        assert re.search(rf"^\| `{re.escape(name)}\b", page, re.M), name


def test_command_line_page_shows_every_command_and_option() -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"\n## {name}\n" in page
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert f"$ plackett {name}" in section
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in section, (name, option)


def test_experiments_page_shows_every_key() -> None:
    page = (DOCS / "experiments.md").read_text(encoding="utf-8")
    table = page.partition("\n## Every key\n")[2].partition("\n## ")[0]
    for name, field in ExperimentConfig.model_fields.items():
        if field.exclude:
            continue
        kinds = [field.annotation, *get_args(field.annotation)]
        sections = [kind for kind in kinds if hasattr(kind, "model_fields")]
        if not sections:
            assert f"| `{name}` |" in table, name
            continue
        rows = re.search(rf"\*\*`\[+{name}\]+`\*\*(.*?)(\| \*\*`\[|\Z)", table, re.S)
        assert rows, name
        for key in sections[0].model_fields:
            first_cells = "".join(line.split(" | ")[0] for line in rows[1].splitlines())
            assert f"`{key}`" in first_cells, f"{name}.{key}"


def test_readme_shows_the_demo() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- demo:begin -->")[2].partition("<!-- demo:end -->")[0]
    assert "| bm25 |" in shown
    assert "docs/assets/demo.svg" in shown
    assert (DOCS / "assets" / "demo.svg").read_text(encoding="utf-8").startswith("<svg")
