"""One sentence of every language that the other tests leave out: its stop words go, stems stay."""

import pytest

from plackett.retrievers.analysis import get_analyzer

SENTENCES = {
    "danish": ("Husene og bådene i havnen", ["hus", "båd", "havn"]),
    "dutch": ("De huizen en de boten in de havens", ["huis", "boot", "haven"]),
    "finnish": ("Talot ja veneet olivat satamassa", ["talo", "vene", "satam"]),
    "greek": ("Τα σπίτια και οι δρόμοι της πόλης", ["σπιτ", "δρομ", "πολ"]),
    "hungarian": ("A házak és a hajók a kikötőben", ["ház", "hajó", "kikötő"]),
    "norwegian": ("Husene og båtene i havnen", ["hus", "båt", "havn"]),
    "portuguese": ("As casas e os barcos dos portos", ["cas", "barc", "port"]),
    "romanian": ("Casele și bărcile din porturi", ["cas", "bărc", "portur"]),
    "turkish": ("Evler ve tekneler limanlarda", ["ev", "tekne", "liman"]),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_language_stops_and_stems(language):
    pytest.importorskip("snowballstemmer")
    text, terms = SENTENCES[language]
    assert get_analyzer(language)(text) == terms


def test_capitals_stop_and_stem_alike():
    pytest.importorskip("snowballstemmer")
    for language in ("danish", "finnish", "hungarian", "portuguese", "romanian"):
        text, terms = SENTENCES[language]
        assert get_analyzer(language)(text.upper()) == terms


def test_a_capital_with_a_dot_is_an_i():
    assert get_analyzer("unicode")("İSTANBUL İ") == ["istanbul", "i"]
