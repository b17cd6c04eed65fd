"""What an experiment file may say, and the error that each mistake gets."""

from pathlib import Path

import pytest

from plackett.errors import ConfigurationError
from plackett.experiment import demo_config, parse_config, read_config
from plackett.experiment.demo import demo_text
from plackett.fusion import Fusion

MINIMAL = '[collection]\nname = "cranfield"\n'
RANKER = '[[rankers]]\nname = "ltr"\nkind = "LambdaMART"\n'

DENSE = '[retrieve]\nkind = "dense"\nencoder = "minilm"\n'
DENSES = DENSE.replace("[retrieve]", "[[retrieve]]")
FUSION = '[[fusions]]\nname = "f"\n'
TUNED = FUSION + 'of = ["bm25"]\ntuned = true\n'


def parse(text: str) -> object:
    return parse_config(text, name="experiment.toml", base=Path("/data"))


def test_everything_but_the_collection_has_a_default() -> None:
    config = parse_config(MINIMAL, name="e.toml", base=Path("/data"))
    assert (config.retrieve[0].k, config.folds.k, config.systems) == (1000, 5, ["bm25"])
    assert config.compare.measures == "nDCG@10 AP RR@10 R@100"


def test_several_first_stages_and_their_fusions() -> None:
    text = f"""{MINIMAL}
        [[retrieve]]
        k1 = 0.9
        {DENSES} k = 10
        {FUSION} of = ["bm25", "dense"]
        {FUSION.replace('"f"', '"g"')} of = ["f", "bm25"]
        method = "rrf(k=5)"
        [features]
        candidates = "g"
        scores = ["dense"]
        {RANKER}
        [[pipelines]]
        name = "p"
        stages = "(bm25 % 10 | g) >> rrf % 5 >> ltr"
    """
    config = parse_config(text, name="e.toml", base=Path("/data"))
    assert [first.name for first in config.retrieve] == ["bm25", "dense"]
    assert config.systems == ["bm25", "dense", "f", "g", "ltr", "p"]
    assert config.candidates == "g"
    assert config.words.k1 == 0.9
    assert config.fusions[1].fusion() == Fusion("rrf", k=5)


def test_without_words_the_lexical_features_have_the_defaults() -> None:
    config = parse_config(MINIMAL + DENSE, name="e.toml", base=Path("/data"))
    assert config.systems == ["dense"]
    assert (config.words.k1, config.words.b) == (1.2, 0.75)


def test_paths_start_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text(MINIMAL + "\n")
    config = read_config(tmp_path / "e.toml")
    assert config.path("docs.jsonl") == tmp_path / "docs.jsonl"
    assert config.path("/docs.jsonl") == Path("/docs.jsonl")


def test_the_demo_is_valid_and_its_text_is_the_file() -> None:
    config = demo_config()
    assert config.compare.baseline == config.retrieve[0].name
    assert {ranker.kind for ranker in config.rankers} == {"LambdaMART", "LinearRanker"}
    assert parse_config(demo_text(), name="demo", base=Path.cwd()) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            MINIMAL + "[retreive]\nk = 3",
            "retreive: unknown key 'retreive'; did you mean 'retrieve'",
        ),
        (MINIMAL + "[retrieve]\nk_1 = 3", "retrieve.k_1: unknown key 'k_1'; did you mean 'k1'"),
        (
            MINIMAL + "[retrieve]\nanalyser = 1",
            "unknown key 'analyser'; Known: b, encoder, index, k, k1, kind",
        ),
        (MINIMAL + '[retrieve]\nanalyzer = "x"', r"'analyzer'; it belongs under \[index\]"),
        (MINIMAL + "[folds]\nsede = 3", "folds.sede: unknown key 'sede'; did you mean 'seed'"),
        (MINIMAL + RANKER + "parameter = {}", "rankers.0.parameter: .*did you mean 'parameters'"),
        (MINIMAL + "[index]\nbase = 1", "index.base: unknown key 'base'"),
        ('base = "/"\n' + MINIMAL, "unknown key 'base'"),
        (MINIMAL + RANKER + "parameters = { tres = 3 }", "'tres'; did you mean 'trees'"),
        (MINIMAL + '[[rankers]]\nname = "a"\nkind = "LamdaMART"', "did you mean 'LambdaMART'"),
        (MINIMAL + '[[rankers]]\nkind = "LambdaMART"', "rankers.0.name: this key is missing"),
        (MINIMAL + RANKER + RANKER, "two systems are called 'ltr'"),
        (MINIMAL + RANKER.replace("ltr", "bm25"), "two systems are called 'bm25'"),
        (MINIMAL + RANKER.replace("ltr", "../up"), "'../up' cannot name a file"),
        (MINIMAL + '[retrieve]\nname = "a/b"', "retrieve.name: 'a/b' cannot name a file"),
        (MINIMAL + '[compare]\nbaseline = "bm52"', "compare.baseline: .*did you mean 'bm25'"),
        (MINIMAL + '[compare]\nmeasures = "nDGC@10"', "compare.measures: .*did you mean 'nDCG'"),
        (MINIMAL + '[compare]\ntest = "tt"', "compare.test: unknown significance test 'tt'"),
        (MINIMAL + '[compare]\ncorrection = "hom"', "compare.correction: .*'hom'"),
        (MINIMAL + '[compare]\nties = "fair"', "compare.ties: .*'trec_eval'.*not 'fair'"),
        (MINIMAL + "[compare]\nalpha = 2.0", "compare.alpha: .*less than 1, not 2.0"),
        (MINIMAL + '[folds]\nk = "5"', "folds.k: .*integer, not '5'"),
        (MINIMAL + "[folds]\nk = 1", "folds.k: .*greater than or equal to 2, not 1"),
        (MINIMAL + "[folds]\nvalidation = 1.0", "folds.validation: .*less than 1"),
        (MINIMAL + '[index]\nanalyzer = "englsh"', "index.analyzer: .*did you mean 'english'"),
        (MINIMAL + '[retrieve]\nvariant = "lucen"', "retrieve: .*did you mean 'lucene'"),
        (MINIMAL + "[retrieve]\nb = 1.5", "retrieve: .*b"),
        (MINIMAL + '[features]\nnames = ["bm52"]', "features.names: .*did you mean 'bm25'"),
        (MINIMAL + '[features]\nnormalise = "z"', "features.normalise: .*not 'z'"),
        (MINIMAL + "[features]\nnames = [1]", "features.names.0: .*string, not 1"),
        (MINIMAL + '[[pipelines]]\nname = "p"\nstages = "bm25 >> x"', "pipelines.0.stages: .*'x'"),
        (MINIMAL + '[[pipelines]]\nname = "p"\nstages = "bm25 %"', "cannot read the pipeline"),
        (
            MINIMAL + RANKER + '[[pipelines]]\nname = "p"\nstages = "ltr % 3"',
            "has no first stage; begin with one, as in bm25 >> ltr % 3",
        ),
        (MINIMAL + DENSE + "k1 = 1.0", "retrieve: k1 is not for a first stage of kind 'dense'"),
        (MINIMAL + '[retrieve]\nencoder = "m"', "retrieve: encoder is not for .* kind 'bm25'"),
        (MINIMAL + '[retrieve]\nkind = "dense"', "retrieve: kind 'dense' needs an encoder"),
        (MINIMAL + '[retrieve]\nkind = "dens"', "retrieve: .*did you mean 'dense'"),
        (MINIMAL + DENSE.replace("minilm", "Trans("), "retrieve: .*expected a folder, or a name"),
        (MINIMAL + DENSE.replace("minilm", "Nothing(1)"), "retrieve: unknown encoder 'Nothing'"),
        (MINIMAL + DENSE + 'structure = "Impacts"', "retrieve: .*is for sparse vectors"),
        (MINIMAL + DENSE + 'structure = "HNSW(link=3)"', "retrieve: .*'link'"),
        (MINIMAL + "[[retrieve]]\nk = 5\n" + DENSES + "k = 0", "retrieve.1.k: .*greater than"),
        (MINIMAL + "[[retrieve]]\n[[retrieve]]", "two systems are called 'bm25'"),
        ("retrieve = []\n" + MINIMAL, "retrieve: give at least one first stage"),
        (MINIMAL + FUSION + 'of = ["bm52"]', "fusions.0.of: .*did you mean 'bm25'"),
        (MINIMAL + FUSION + 'of = ["f"]', "fusions.0.of: unknown first stage 'f'"),
        (MINIMAL + FUSION + "of = []", "fusions.0: name at least one run"),
        (MINIMAL + FUSION + 'of = ["bm25"]\nmethod = "rff"', "fusions.0: .*did you mean 'rrf'"),
        (MINIMAL + FUSION + 'of = ["bm25"]\nweights = [1, 2]', "fusions.0: 2 weights for 1 runs"),
        (MINIMAL + FUSION + 'of = ["bm25"]\nnormalise = "max"', "fusions.0: .*ranks only"),
        (MINIMAL + FUSION + 'of = ["bm25"]\nmeasure = "AP"', "fusions.0: measure is for a tuned"),
        (MINIMAL + TUNED + "weights = [1.0]", "fusions.0: a tuned fusion chooses its weights"),
        (MINIMAL + TUNED + 'method = "rrf(k=3)"', "fusions.0: unknown fusion"),
        (MINIMAL + TUNED + 'measure = "APP"', "fusions.0: .*did you mean 'AP'"),
        (
            MINIMAL + TUNED + 'method = "comb_mnz"\nnormalise = "z_score"',
            "fusions.0: method 'comb_mnz' does not take 'z_score'",
        ),
        (MINIMAL + '[features]\ncandidates = "x"', "features.candidates: unknown first stage 'x'"),
        (MINIMAL + '[features]\nscores = ["bm25"]', "features.scores: unknown first stage of vec"),
        ("title = 'x'", "collection: this key is missing"),
        ('[collection]\nqrels = "q.txt"', "give name, or all three of corpus, queries and qrels"),
        (MINIMAL + 'corpus = "d.jsonl"', "give either name, or corpus, queries and qrels"),
        ("collection = 3", "collection: .*not 3"),
        ("[collection", "experiment.toml is not TOML"),
    ],
)
def test_each_mistake_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"experiment\.toml") as caught:
        parse(text)
    with pytest.raises(ConfigurationError, match=message):
        raise caught.value


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(MINIMAL + "[retrieve]\nkk = 3\n[folds]\nk = 1\nsed = 1\n")
    assert str(caught.value).count("\n  ") == 3


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*missing\.toml"):
        read_config(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(ConfigurationError, match=r"cannot read .*latin\.toml.*utf-8"):
        read_config(tmp_path / "latin.toml")


def test_a_value_that_a_ranker_cannot_take_is_said_before_anything_runs(tmp_path: Path) -> None:
    text = """
        collection = { name = "cranfield" }
        rankers = [{ name = "trees", kind = "LambdaMART", parameters = { trees = -1 } }]
    """
    with pytest.raises(ConfigurationError, match=r"rankers\.0: trees=-1; expected an integer"):
        parse_config(text, name="e.toml", base=tmp_path)
