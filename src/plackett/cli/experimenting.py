"""`plackett demo`, `plackett run`: the whole job, declared, in one command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, examples, show

if TYPE_CHECKING:
    from plackett.experiment import Event, ExperimentConfig

__all__ = ["demo", "run"]

Fresh = Annotated[bool, typer.Option("--fresh", help="Do every step anew.")]
Workers = Annotated[int, typer.Option(help="Train so many folds at a time.", min=1)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan; do nothing.")]


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where results go.")] = Path(
        "plackett-demo"
    ),
    fresh: Fresh = False,
    workers: Workers = 2,
    dry_run: DryRun = False,
    print_experiment: Annotated[
        bool, typer.Option("--print", help="Print the experiment file, to start your own.")
    ] = False,
) -> None:
    """Learned rankers against BM25 on the packaged Cranfield collection."""
    from plackett.experiment import demo_config
    from plackett.experiment.demo import demo_text

    if print_experiment:
        show(demo_text().rstrip())
        return
    again = "plackett demo" if output == Path("plackett-demo") else f"plackett demo -o {output}"
    _run(demo_config(), output.resolve(), fresh, workers, dry_run, again)


def run(
    experiment: Annotated[Path, typer.Argument(help="The experiment, a TOML file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where results go; else as the file says.")
    ] = None,
    fresh: Fresh = False,
    workers: Workers = 2,
    dry_run: DryRun = False,
) -> None:
    """Run a declared experiment; steps that are done already are kept."""
    from plackett.experiment import read_config

    config = read_config(experiment)
    folder = config.path(config.output) if output is None else output.resolve()
    again = f"plackett run {experiment}" + ("" if output is None else f" -o {output}")
    _run(config, folder, fresh, workers, dry_run, again)


def _run(
    config: ExperimentConfig, folder: Path, fresh: bool, workers: int, dry_run: bool, again: str
) -> None:
    from plackett.experiment import make_plan, run_experiment
    from plackett.experiment.store import Store

    if dry_run:
        show(f"{config.title}\nresults   {folder}")
        show(make_plan(config).describe(Store(folder / "steps")))
        return
    try:
        with _telling() as tell:
            outcome = run_experiment(config, output=folder, fresh=fresh, workers=workers, tell=tell)
    except KeyboardInterrupt:
        announce(f"stopped; finished steps are kept in {folder / 'steps'}. Go on with: {again}")
        raise
    show(str(outcome.comparison))
    show(f"\nreport  {_near(outcome.report)}\nruns    {_near(outcome.folder / 'runs')}")


def _near(path: Path) -> str:
    """The path from the current folder, where it lies inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@contextmanager
def _telling() -> Iterator[Callable[[Event], None]]:
    """Lines of progress on standard error, with what is in hand below where that is a screen."""
    if not sys.stderr.isatty():
        yield _tell_plainly
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    in_hand: list[str] = []
    with console.status("reading the data") as status:

        def tell(event: Event) -> None:
            if event.status == "started":
                in_hand.append(event.label)
            else:
                if event.label in in_hand:
                    in_hand.remove(event.label)
                console.print(_line(event), highlight=False, markup=False)
            status.update(escape("; ".join(in_hand) or "..."))

        yield tell


def _tell_plainly(event: Event) -> None:
    if event.status != "started":
        announce(_line(event))


def _line(event: Event) -> str:
    return {
        "started": f"          {event.label}",
        "finished": f"{event.seconds:6.1f} s  {event.label}",
        "kept": f"    kept  {event.label}",
        "damaged": f" damaged  {event.label}: it is done again",
        "stopping": f"stopping  {event.label}; Ctrl-C again gives them up",
    }[event.status]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett demo", "plackett demo --print > experiment.toml", "plackett demo -o out"
        )
    )(demo)
    app.command(
        epilog=examples(
            "plackett run experiment.toml --dry-run",
            "plackett run experiment.toml",
            "plackett run experiment.toml --fresh -o elsewhere",
        )
    )(run)
