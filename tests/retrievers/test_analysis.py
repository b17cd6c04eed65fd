"""Analysis: segmentation, filters, Porter's stems, and the kernel that does it all in batches."""

from importlib import resources

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.retrievers import analysis
from plackett.retrievers.analysis import ANALYZERS, Analyzer, FunctionAnalyzer, get_analyzer
from plackett.retrievers.analysis.base import LANGUAGES, register_analyzer
from plackett.retrievers.analysis.coding import coder_for, text_buffers
from plackett.retrievers.analysis.porter import stem
from plackett.retrievers.analysis.stemming import STEMMERS, stemmer

# Letters, digits, joiners, marks, Katakana, Han, emoji, flags, letters whose lower case is longer.
TRICKY = list("abAB19_.':;,’’ \n\u200d\u0301\u00adß日ァあ👍🏽🇫é İΣςǅ٣٫")
TEXTS = st.lists(
    st.text(st.one_of(st.sampled_from(TRICKY), st.characters(exclude_categories=["Cs"]))),
    max_size=5,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't", ["don't"]),
        ("John's", ["john's"]),
        ("U.S.A.", ["u.s.a"]),
        ("wi-fi", ["wi", "fi"]),
        ("3.14 1,000 3:4", ["3.14", "1,000", "3", "4"]),
        ("a,b a.b a:b", ["a", "b", "a.b", "a:b"]),
        ("foo_bar __ _x", ["foo_bar", "_x"]),
        ("a@b.com", ["a", "b.com"]),
        ("漢字", ["漢", "字"]),
        ("カタカナ語", ["カタカナ", "語"]),
        ("ok 👍🏽 👨\u200d👩\u200d👧", ["ok", "👍🏽", "👨\u200d👩\u200d👧"]),
        ("🇫🇷", ["🇫🇷"]),
        ("e\u0301a", ["e\u0301a"]),
        ("Ünïcode", ["ünïcode"]),
        ("", []),
        (" .,'", []),
    ],
)
def test_words_end_where_unicode_says(text, words):
    assert get_analyzer("unicode")(text) == words


def test_the_english_chain_stops_before_it_stems():
    english = get_analyzer("english")
    assert english("John's being; to be, the U.S.A.") == ["john", "be", "u.s.a"]
    assert english("pilot’s pilot＇s PILOT'S") == ["pilot"] * 3
    assert get_analyzer("english_unstemmed")("The Running") == ["running"]
    assert get_analyzer("whitespace")("The U.S., 'quoted'") == ["The", "U.S.,", "'quoted'"]


def test_long_words_are_cut():
    assert get_analyzer("unicode")("x" * 600) == ["x" * 255, "x" * 255, "x" * 90]


PORTER = """
running run, ponies poni, relational relat, generically gener, skies ski, organization organ,
news new, possibly possibl, is is, being be, caresses caress, caress caress, cats cat, feed feed,
agreed agre, plastered plaster, bled bled, sing sing, conflated conflat, troubled troubl,
sized size, hopping hop, tanned tan, falling fall, hissing hiss, fizzed fizz, failing fail,
filing file, happy happi, sky sky, conditional condit, valenci valenc, digitizer digit,
analogy analog, radicalli radic, vietnamization vietnam, operator oper, feudalism feudal,
decisiveness decis, hopefulness hope, callousness callous, formaliti formal, sensitiviti sensit,
sensibiliti sensibl, triplicate triplic, formative form, electriciti electr, electrical electr,
goodness good, revival reviv, allowance allow, inference infer, airliner airlin, adjustable adjust,
irritant irrit, replacement replac, adjustment adjust, dependent depend, adoption adopt,
communism commun, activate activ, effective effect, bowdlerize bowdler, probate probat, rate rate,
cease ceas, controll control, roll roll, by by, opinion opinion
"""


@pytest.mark.parametrize("pair", [pair.strip() for pair in PORTER.split(",")])
def test_porter_examples(pair):
    word, stemmed = pair.split()
    assert stem(word) == stemmed


@given(st.text("abcdefgilmnostuvyz", max_size=14))
def test_a_stem_is_never_longer_than_its_word_and_one_letter(word):
    # "e" may come back ("hoping" -> "hope"), in place of three letters.
    assert len(stem(word)) <= len(word)
    assert stem(word)[:2] == word[:2] or len(word) > 2


@pytest.mark.parametrize("name", ["english", "unicode", "whitespace"])
@given(texts=TEXTS)
def test_the_kernel_cuts_as_python_does(name, texts):
    analyzer = get_analyzer(name)
    coder = coder_for(analyzer)
    for batch in (texts, texts[::-1]):  # the second finds its words in the table
        tokens, counts = coder.code(pa.array(batch, pa.string()))
        expected = [analyzer(text) for text in batch]
        assert [coder.terms[token] for token in tokens] == [
            term for terms in expected for term in terms
        ]
        assert counts.tolist() == [len(terms) for terms in expected]


@given(texts=TEXTS)
def test_a_function_is_coded_as_the_analyzer_it_copies(texts):
    whitespace = get_analyzer("whitespace")
    ours, theirs = coder_for(whitespace), coder_for(FunctionAnalyzer(whitespace))
    batch = pa.array([*texts, None], pa.large_string())
    for mine, other in zip(ours.code(batch), theirs.code(batch), strict=True):
        assert mine.tolist() == other.tolist()
    assert ours.terms == theirs.terms


def test_the_table_of_words_grows():
    words = [f"w{i}" for i in range(30_000)]
    coder = coder_for(get_analyzer("whitespace"))
    tokens, _ = coder.code(pa.array([" ".join(words), " ".join(words[::-1])]))
    assert coder.terms == words
    assert tokens.tolist() == [*range(30_000), *reversed(range(30_000))]


def test_slices_of_arrow_arrays_are_read_in_place():
    coder = coder_for(get_analyzer("whitespace"))
    coder.code(pa.array(["skip this", "one two", None, "three"]).slice(1, 2))
    assert coder.terms == ["one", "two"]
    assert text_buffers(pa.array([], pa.string()))[1].tolist() == [0]


def test_bytes_that_are_no_utf8_only_separate():
    broken = pa.Array.from_buffers(
        pa.string(),
        1,
        [None, pa.py_buffer(b"\0\0\0\0\x0b\0\0\0"), pa.py_buffer(b"ab\xffcd \xe6\xf8x \xe6")],
    )
    coder = coder_for(get_analyzer("unicode"))
    coder.code(broken)
    assert coder.terms == ["ab", "cd", "x"]
    with pytest.raises(DataError, match="UTF-8"):
        coder_for(get_analyzer("whitespace")).code(broken)


def test_analyzers_are_saved_as_their_parameters():
    for analyzer in [*ANALYZERS.values(), Analyzer(stopwords=("le", "la"), max_length=20)]:
        assert Analyzer.from_dict(analyzer.to_dict()) == analyzer
    assert FunctionAnalyzer(str.split).to_dict() == {"function": "str.split"}
    assert get_analyzer(Analyzer()) == Analyzer()


def test_bad_analyzers_are_refused():
    for wrong in ({"tokenizer": "x"}, {"stemmer": "x"}, {"stopwords": "x"}):
        with pytest.raises(UnknownNameError, match="Known"):
            Analyzer(**wrong)
    with pytest.raises(UnknownNameError, match="did you mean 'english'"):
        get_analyzer("englich")
    for wrong in (lambda: Analyzer(max_length=3), lambda: get_analyzer(3)):
        with pytest.raises(ConfigurationError):
            wrong()
    with pytest.raises(ConfigurationError, match="colour"):
        Analyzer.from_dict({"colour": 1})
    with pytest.raises(ConfigurationError, match="exists"):
        register_analyzer("english", Analyzer())


LANGUAGE_EXAMPLES = {
    "german": ("Die Häuser der Städte wurden gebaut", ["haus", "stadt", "gebaut"]),
    "french": ("L'avion qu'il a vu, les chevaux", ["avion", "vu", "cheval"]),
    "spanish": ("los gatos y las corredoras", ["gat", "corredor"]),
    "italian": ("dell'aereo e degli amici", ["aere", "amic"]),
    "russian": ("собаки и кошки", ["собак", "кошк"]),
    "swedish": ("flickorna och husen", ["flick", "hus"]),
}


@pytest.mark.parametrize("language", LANGUAGE_EXAMPLES)
def test_languages_stop_and_stem(language):
    pytest.importorskip("snowballstemmer")
    text, terms = LANGUAGE_EXAMPLES[language]
    assert get_analyzer(language)(text) == terms


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_words(language):
    snowball = pytest.importorskip("snowballstemmer")
    assert language in snowball.algorithms()
    analyzer = get_analyzer(language)
    stopped = (resources.files(analysis) / f"stopwords_{language}.txt").read_text("utf-8").split()
    assert stopped == sorted(set(stopped))
    assert len(stopped) > 80
    assert all(word == word.lower() and word.strip() for word in stopped)
    assert analyzer(" ".join(stopped)) == []
    assert Analyzer.from_dict(analyzer.to_dict()) == analyzer


def test_the_known_stemmers_are_snowballs():
    snowball = pytest.importorskip("snowballstemmer")
    assert set(STEMMERS) - {"porter"} <= set(snowball.algorithms())
    assert stemmer("english")("generically") == "generic"
    assert stemmer("porter")("generically") == "gener"


def test_only_stop_words_are_elided():
    french = Analyzer(stopwords="french", elision=True)
    assert french("l'avion d’eau aujourd'hui qu＇on s'") == ["avion", "eau", "aujourd'hui"]
    assert Analyzer(stopwords="french")("l'avion") == ["l'avion"]


def test_an_index_remembers_its_language(tmp_path):
    pytest.importorskip("snowballstemmer")
    corpus = Corpus.from_texts({"d1": "Die Häuser", "d2": "ein Boot"})
    BM25.build(corpus, tmp_path / "index", analyzer="german")
    run = BM25.open(tmp_path / "index").search(Queries.from_texts({"q": "das Haus"}))
    assert [name for name, _ in run["q"]] == ["d1"]
