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
    _run(demo_config(), output.resolve(), fresh, workers, dry_run, "plackett demo")


def run(
    experiment: Annotated[Path, typer.Argument(help="The experiment, a TOML file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where results go; as the file says.")
    ] = None,
    fresh: Fresh = False,
    workers: Workers = 2,
    dry_run: DryRun = False,
) -> None:
    """Run a declared experiment; steps that are done already are kept."""
    from plackett.experiment import read_config

    config = read_config(experiment)
    folder = config.path(config.output) if output is None else output.resolve()
    _run(config, folder, fresh, workers, dry_run, f"plackett run {experiment}")


def _run(
    config: ExperimentConfig, folder: Path, fresh: bool, workers: int, dry_run: bool, again: str
) -> None:
    from plackett.experiment import make_plan, run_experiment
    from plackett.experiment.store import Store

    if dry_run:
        show(f"{config.title}\nresults  {folder}")
        show(make_plan(config).describe(Store(folder / "steps")))
        return
    try:
        with _telling() as tell:
            outcome = run_experiment(config, output=folder, fresh=fresh, workers=workers, tell=tell)
    except KeyboardInterrupt:
        announce(f"\nstopped; the steps that are done are kept. Go on with: {again}")
        raise
    show(str(outcome.comparison))
    show(f"\nreport  {outcome.report}")
    show(f"runs    {outcome.folder / 'runs'}")


@contextmanager
def _telling() -> Iterator[Callable[[Event], None]]:
    """Lines of progress on standard error, with a running clock where that is a screen."""
    if not sys.stderr.isatty():
        yield _tell_plainly
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status("starting") as status:

        def tell(event: Event) -> None:
            if event.status == "started":
                status.update(escape(event.label))
            else:
                console.print(_line(event), highlight=False, markup=False)

        yield tell


def _tell_plainly(event: Event) -> None:
    if event.status != "started":
        announce(_line(event))


def _line(event: Event) -> str:
    notes = {
        "finished": f"{event.seconds:6.1f} s  {event.label}",
        "kept": f"    kept  {event.label}",
        "damaged": f" damaged  {event.label}: it is done again",
        "started": f"          {event.label}",
    }
    return notes[event.status]


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
