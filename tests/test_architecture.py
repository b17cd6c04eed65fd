"""The house rules, read from the source: floors, circles, imports that are free, sizes, style.

A package imports only from packages of a lower floor; rooms of one floor do not know each other.
Imports inside functions count as much as those at the top of a module.
"""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import plackett
from plackett.clicks.evaluation import get as get_off_policy_estimator
from plackett.clicks.interleaving import get as get_interleaving
from plackett.clicks.interleaving import parse_sequential_test
from plackett.clicks.learning import get as get_debiasing
from plackett.clicks.models import get as get_click_model
from plackett.clicks.online.registry import get as get_online_learner
from plackett.clicks.policies import get as get_policy
from plackett.clicks.propensity import get as get_propensity_estimator
from plackett.clicks.simulation import get as get_user
from plackett.data.formats.click_registry import CLICKS
from plackett.data.formats.registry import DATASETS, QRELS, RUNS, TEXTS
from plackett.errors import UnknownNameError
from plackett.features.registry import get as get_feature
from plackett.fusion import Fusion, aggregator
from plackett.llm import parse_model, prompt_template
from plackett.losses import parse_loss
from plackett.metrics import parse_measure
from plackett.metrics.corrections import get_correction
from plackett.metrics.significance import get_test
from plackett.rankers.registry import get as get_ranker
from plackett.rerankers import get as get_reranker
from plackett.retrievers.analysis.base import get_analyzer
from plackett.retrievers.cross_encoder.plans import parse_plan
from plackett.retrievers.expansion import parse_expansion
from plackett.retrievers.models import parse_term_model
from plackett.retrievers.segments.structure import get_structure
from plackett.retrievers.weighting import Weighting
from plackett.selection import get as get_selector

SOURCE = Path(plackett.__file__).parent
FLOORS = {
    "errors": 0,
    "_optional": 0,
    "_registry": 0,
    "data": 0,
    "metrics": 1,
    "pipeline": 1,
    "transport": 1,
    "losses": 2,
    "fusion": 2,
    "encoders": 2,
    "llm": 2,
    "retrievers": 3,
    "features": 4,
    "rankers": 4,
    "clicks": 5,
    "rerankers": 5,
    "selection": 5,
    "training": 6,
    "rag": 6,
    "robustness": 6,
    "experiment": 7,
    "scale": 7,
    "cli": 8,
    "serve": 8,
    "__main__": 9,
}
GROUND = {"errors", "_optional", "_registry", "data"}  # these make up one floor and may meet
HEAVY = ("torch", "numba", "pandas", "polars", "scipy", "lightgbm", "pyarrow", "typer", "rich")
FAMILIES: dict[str, tuple[Callable[[str], object], str]] = {  # a look-up, and a name that it knows
    "measure": (parse_measure, "nDCG"),
    "paired test": (get_test, "t"),
    "correction": (get_correction, "holm"),
    "feature": (get_feature, "bm25"),
    "ranker": (get_ranker, "LambdaMART"),
    "loss": (parse_loss, "ListNet"),
    "re-ranker": (get_reranker, "word-overlap"),
    "back end": (lambda name: parse_model(f"{name}({{}})"), "Oracle"),
    "prompt": (prompt_template, "rank-gpt"),
    "click model": (get_click_model, "PBM"),
    "user": (get_user, "PositionBasedUser"),
    "propensity estimator": (get_propensity_estimator, "InterventionHarvesting"),
    "debiasing": (get_debiasing, "IPS"),
    "online learner": (get_online_learner, "PDGD"),
    "policy": (get_policy, "PlackettLuce"),
    "off-policy estimator": (get_off_policy_estimator, "ExposureIPS"),
    "interleaving": (get_interleaving, "TeamDraft"),
    "sequential test": (lambda name: parse_sequential_test(f"{name}()"), "MixtureSPRT"),
    "selector": (get_selector, "ScoreThreshold"),
    "structure": (get_structure, "Exact"),
    "expansion": (parse_expansion, "RM3"),
    "term model": (parse_term_model, "DPH"),
    "plan": (lambda name: parse_plan(f"{name}()"), "AdaptiveRounds"),
    "aggregator": (aggregator, "win_rate"),
    "fusion": (Fusion, "rrf"),
    "analyzer": (get_analyzer, "english"),
    "BM25 variant": (lambda name: Weighting(variant=name), "lucene"),
    "run format": (lambda name: RUNS.resolve(Path("f"), name), "trec"),
    "qrels format": (lambda name: QRELS.resolve(Path("f"), name), "trec"),
    "texts format": (lambda name: TEXTS.resolve(Path("f"), name), "jsonl"),
    "click log format": (lambda name: CLICKS.resolve(Path("f"), name), "jsonl"),
    "dataset format": (lambda name: DATASETS.resolve(Path("f"), name), "svmlight"),
}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(nodes: list[ast.AST], module: str) -> set[str]:
    """Every plackett module that import statements among the nodes may load."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            # A submodule taken from its package needs no more of the package than its name.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = names & {dotted(path) for path in MODULES}
            found |= submodules | ({str(node.module)} if names - submodules else set())
            if node.module == "plackett":
                found |= names
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "plackett":
            found.add(f"plackett.{node.attr}")  # the face, which loads from every floor
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return {name for name in found if name.startswith("plackett.")}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_package_has_a_floor() -> None:
    rooms = {room(dotted(path)) for path in MODULES}
    unknown = rooms - FLOORS.keys()
    assert not unknown, f"give {sorted(unknown)} a floor in the table of this test"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_nothing_imports_upward_or_sideways(path: Path) -> None:
    module = dotted(path)
    here = room(module)
    for name in imported(list(ast.walk(ast.parse(path.read_text()))), module):
        there = room(name)
        if there == "__version__" or there == here or {here, there} <= GROUND:
            continue
        assert there in FLOORS, f"{module} imports {name}, which has no floor"
        assert FLOORS[there] < FLOORS[here], f"{module} imports {name}, which is not below it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {dotted(path) for path in MODULES}
    edges: dict[str, set[str]] = {}
    for path in MODULES:
        top = [node for node in ast.parse(path.read_text()).body if not _is_type_checking(node)]
        loaded = imported([n for node in top for n in _outside_functions(node)], dotted(path))
        edges[dotted(path)] = (loaded & names) - {dotted(path)}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, "circle: " + " -> ".join((*trail, module))
        if module not in done:
            for following in sorted(edges[module]):
                visit(following, (*trail, module))
            done.add(module)

    for module in sorted(edges):
        visit(module, ())


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _outside_functions(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return []
    return [node, *(n for child in ast.iter_child_nodes(node) for n in _outside_functions(child))]


def test_importing_plackett_loads_nothing_heavy() -> None:
    code = f"import sys, plackett; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("room_name", ["data", "metrics", "pipeline", "retrievers", "rankers"])
def test_rooms_load_without_compilers_frames_and_tree_libraries(room_name: str) -> None:
    heavy = ("torch", "numba", "pandas", "polars", "scipy", "lightgbm", "typer", "rich")
    code = f"import sys, plackett.{room_name}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_face_is_complete_and_documented() -> None:
    for name in plackett.__all__:
        value = getattr(plackett, name)
        assert name == "__version__" or value.__doc__, f"plackett.{name} has no docstring"
    assert set(plackett.__all__) <= set(dir(plackett))
    assert (SOURCE / "py.typed").exists()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = plackett.nothing


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_looked_up_by_exact_name(family: str) -> None:
    look_up, known = FAMILIES[family]
    look_up(known)
    with pytest.raises(UnknownNameError, match=rf"Known: .*\b{known}\b"):
        look_up(f"no_{known}")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_files_and_functions_are_small_and_in_style(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, f"{dotted(path)} has more than 400 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _check_function(node, path)
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {"Exception" if kind is None else ast.unparse(kind) for kind in caught}
            broad = names & {"Exception", "BaseException"}
            # To tidy up and raise the same again hides nothing.
            hidden = broad and ast.unparse(node.body[-1]) != "raise"
            assert not hidden, f"{dotted(path)}:{node.lineno} catches everything"
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            assert room(dotted(path)) == "cli", f"{dotted(path)}:{node.lineno} prints"


def _check_function(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> None:
    place = f"{dotted(path)}:{node.lineno} {node.name}"
    public = not node.name.startswith("_")
    body = node.body[1:] if ast.get_docstring(node) else node.body
    # A compiled kernel is one loop; splitting it would cost what it is there to save.
    if body and "kernels" not in path.stem:
        assert body[-1].end_lineno - body[0].lineno < 60, f"{place} has more than 60 lines"
    # set_params is scikit-learn's own signature; Reranker checks against that of its name.
    open_ended = node.args.kwarg is not None and node.name not in ("set_params", "Reranker")
    assert not (public and open_ended), f"{place} takes **{ast.unparse(node.args)}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_what_a_module_hands_out_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{dotted(path)} has no docstring"
    exported = next(
        (
            [element.value for element in node.value.elts if isinstance(element, ast.Constant)]
            for node in tree.body
            if isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") == "__all__"
            and isinstance(node.value, (ast.List, ast.Tuple))
        ),
        [],
    )
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in exported:
            assert ast.get_docstring(node), f"{dotted(path)}.{node.name} has no docstring"
