"""Tokens of Lucene's StandardTokenizer and EnglishAnalyzer, one for one.

`lucene_tokens.json` holds texts, the rule that each one shows, and the tokens that Lucene 9.9
gives: "tokenizer" those of StandardTokenizer (rules of UAX #29, of UAX #14's class SA, of UTS #51's
emoji), "english" those of EnglishAnalyzer, "porter" the same for words of Porter's paper, under the
rule of it that is told apart; "cjk" those of CJKAnalyzer; "different" and "cjk_different" is where
we differ on purpose.
"""

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries, load_collection
from plackett.retrievers.analysis import Analyzer, get_analyzer
from plackett.retrievers.analysis.coding import coder_for
from plackett.retrievers.analysis.segmentation import split_ascii, split_words
from plackett.retrievers.analysis.word_classes import class_table

TOKENS = json.loads(Path(__file__).with_name("lucene_tokens.json").read_text("utf-8"))
ANALYZERS = {
    "tokenizer": Analyzer(lower=False),
    "english": get_analyzer("english"),
    "porter": get_analyzer("english"),
    "cjk": get_analyzer("cjk"),
    "different": get_analyzer("english"),
    "cjk_different": get_analyzer("cjk"),
}
# A letter or two of each class, digits, marks, joiners, emoji and all middles.
PIECES = (
    "abAB19_.:;,'\"’·#* \u200d\u0301\u00ad"
    "ß日ァあก\u0e31א\u05b7👍🏽🇫🇩\ufe0f\ufe0e\u20e3❤©ⅷ٣٫⁀〆々한\U000e0067"
)


def cases(kind):
    return [
        pytest.param(case, id=f"{kind}-{number}-{case['rule'][:40]}")
        for number, case in enumerate(TOKENS[kind])
    ]


def coded(analyzer, texts):
    """The terms of each text by the build's kernel."""
    coder = coder_for(analyzer)
    tokens, counts = coder.code(pa.array(texts, pa.string()))
    terms = iter(coder.terms[token] for token in tokens)
    return [[next(terms) for _ in range(count)] for count in counts]


@pytest.mark.parametrize("case", cases("tokenizer"))
def test_words_are_those_of_the_standard_tokenizer(case):
    assert ANALYZERS["tokenizer"](case["text"]) == case["expected"]


@pytest.mark.parametrize("case", cases("english"))
def test_terms_are_those_of_the_english_analyzer(case):
    assert ANALYZERS["english"](case["text"]) == case["expected"]


@pytest.mark.parametrize("case", cases("porter"))
def test_stems_are_those_of_porters_rules(case):
    assert ANALYZERS["porter"](case["text"]) == case["expected"]


@pytest.mark.parametrize("case", cases("cjk"))
def test_pairs_are_those_of_the_cjk_analyzer(case):
    assert ANALYZERS["cjk"](case["text"]) == case["expected"]


@pytest.mark.parametrize("kind", ["different", "cjk_different"])
def test_where_we_differ_we_do_so_on_purpose(kind):
    for case in TOKENS[kind]:
        assert ANALYZERS[kind](case["text"]) == case["expected"] != case["lucene"], case["rule"]


@pytest.mark.parametrize("kind", sorted(ANALYZERS))
def test_a_build_and_a_query_agree(kind):
    texts = [case["text"] for case in TOKENS[kind]]
    assert coded(ANALYZERS[kind], texts) == [case["expected"] for case in TOKENS[kind]]


def test_every_rule_of_the_annex_has_its_texts():
    told = " ".join(case["rule"] for case in TOKENS["tokenizer"])
    for rule in ("WB3", "WB4", "WB5", "WB6", "WB7", "WB7a", "WB7b", "WB7c", "WB8", "WB9", "WB10"):
        assert rule in told
    for rule in ("WB11", "WB12", "WB13", "WB13a", "WB13b", "WB999", "SA", "Emoji", "Length"):
        assert rule in told


@pytest.mark.parametrize("tokenizer", ["words", "pairs", "whitespace"])
@pytest.mark.parametrize("max_length", [16, 255])
def test_the_kernel_follows_the_definition_everywhere(tokenizer, max_length):
    choose = random.Random(max_length)
    texts = [
        "".join(choose.choice(PIECES) for _ in range(choose.randint(1, 60))) for _ in range(4000)
    ]
    analyzer = Analyzer(tokenizer=tokenizer, lower=False, max_length=max_length)
    assert coded(analyzer, texts) == [analyzer(text) for text in texts]


@pytest.mark.parametrize("tokenizer", ["words", "pairs", "whitespace"])
@given(text=st.text(st.characters(max_codepoint=127), max_size=40))
def test_the_quick_way_of_ascii_is_the_definition(tokenizer, text):
    words = split_words(text, class_table(tokenizer), 255)
    assert Analyzer(tokenizer=tokenizer, lower=False)(text) == words


@given(text=st.text("aB19_.:;,'\"#* ", max_size=20))
def test_the_middles_of_ascii_are_the_definition(text):
    assert split_ascii(text) == split_words(text, class_table("words"), 255)


def test_a_word_behind_a_long_run_of_connectors():
    text = "_" * 300_000 + "abc " + "\u2040" * 400 + "\u0301\u0e31"
    analyzer = ANALYZERS["tokenizer"]
    assert coded(analyzer, [text]) == [analyzer(text)] == [["_" * 254 + "a", "bc", "\u0e31"]]


def test_an_index_of_pairs_finds_a_word_within_a_sentence(tmp_path):
    texts = {"d1": "我是中国人", "d2": "中文信息检索", "d3": "国中在北京"}
    corpus = Corpus.from_texts(texts)
    BM25.build(corpus, tmp_path / "pairs", analyzer="cjk")
    found = BM25.open(tmp_path / "pairs").search(Queries.from_texts({"q": "中国"}))
    assert [name for name, _ in found["q"]] == ["d1"]
    one_by_one = BM25.build(corpus, tmp_path / "single", analyzer="unicode")
    assert len(one_by_one.search(Queries.from_texts({"q": "中国"}))["q"]) == 3


def test_a_text_of_pairs_alone_has_room():
    text = "".join(chr(0x4E00 + i) for i in range(20_000))
    analyzer = get_analyzer("cjk")
    assert coded(analyzer, [text]) == [[text[i : i + 2] for i in range(len(text) - 1)]]


def test_a_separator_on_both_sides_changes_no_word():
    analyzer = ANALYZERS["tokenizer"]
    for case in TOKENS["tokenizer"]:
        assert analyzer(f"\n{case['text']}\n") == case["expected"]


@pytest.mark.shared_data
def test_the_terms_of_scifact_are_those_of_lucene(shared_data):
    """Each token was compared with Lucene's; here stand their number and their lengths."""
    _, corpus, _, _ = load_collection(shared_data / "scifact")
    counts = lengths = 0
    for field in corpus.fields:
        coder = coder_for(get_analyzer("english"))
        tokens, _ = coder.code(corpus.table.column(field).combine_chunks())
        counts += len(tokens)
        sizes = [len(term) for term in coder.terms]
        lengths += sum(sizes[token] for token in tokens)
    assert (counts, lengths) == (838_128, 4_655_233)
