"""The parser: every grammar as asked, mended, and unusable; nothing offered is lost or added."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.llm.parsing.base import Grammar
from plackett.llm.parsing.parser import Form, Parsed, parse_answer

GRAMMARS: tuple[Grammar, ...] = Grammar.__args__


def read(
    text: str, n: int = 4, grammar: Grammar = "order", scheme: str = "digits", **form
) -> Parsed:
    return parse_answer(text, n, Form(grammar, scheme, **form))


# ------------------------------------------------------------------------------------- orders

AS_ASKED = [
    "[2] > [4] > [1] > [3]",
    "[2]>[4]>[1]>[3]",
    " [2] > [4] > [1] > [3].\n",
    "2 > 4 > 1 > 3",
]
MENDED = {
    "[2], [4], [1], [3]": "separators",
    "[2] [4] [1] [3]": "separators",
    "2, 4, 1, 3": "separators",
    "2,4,1,3": "separators",
    "2-4-1-3": "separators",
    "[2, 4, 1, 3]": "separators",
    "2\n4\n1\n3": "separators",
    "[2]\n[4]\n[1]\n[3]": "separators",
    "- [2]\n- [4]\n- [1]\n- [3]": "separators",
    "1. [2]\n2. [4]\n3. [1]\n4. [3]": "separators",
    "1. 2\n2. 4\n3. 1\n4. 3": "separators",
    "1) Passage 2\n2) Passage 4\n3) Passage 1\n4) Passage 3": "separators",
    "Passage 2 > Passage 4 > Passage 1 > Passage 3": None,
    "Document [2], Document [4], Document [1] and Document [3]": "separators",
    "**[2]** > **[4]** > **[1]** > **[3]**": "markup",
    "[**2**] > [**4**] > [**1**] > [**3**]": "markup",
    "`[2] > [4] > [1] > [3]`": "markup",
    "```\n[2] > [4] > [1] > [3]\n```": "markup",
    "```text\n[2] > [4] > [1] > [3]": "markup",
    "(2) > (4) > (1) > (3)": "brackets",
    "{2} > {4} > {1} > {3}": "brackets",
    "【2】 > 【4】 > 【1】 > 【3】": "characters",
    "［２］＞［４］＞［１］＞［３］": "characters",
    "[٢] > [٤] > [١] > [٣]": "characters",
    "[²] > [⁴] > [¹] > [³]": "characters",
    "② > ④ > ① > ③": "characters",
    "[२] > [४] > [१] > [३]": "characters",
    "[2] → [4] → [1] → [3]": "characters",
    "[2] ≻ [4] ≻ [1] ≻ [3]": "characters",
    "\u200f[2] > [4] > [1] > [3]\u200e": "characters",
    "[2] > [4] > [1] > [3] > [2] > [4]": "repeated",
    "[2] > [9] > [4] > [1] > [0] > [3]": "out_of_range",
    "[2] > [4] > [1] > [3] > [99999999999999999999999]": "out_of_range",
    "Here is the order of the 4 passages: [2] > [4] > [1] > [3]": "prose",
    "[2] > [4] > [1] > [3]\n\nPassage [2] names all 3 causes.": "prose",
    "I first thought [1] > [2] > [3] > [4]. No:\n[2] > [4] > [1] > [3]": "prose",
    "[2] (exact) > [4] (close) > [1] (hardly) > [3] (not)": "prose",
    '{"ranking": ["[2]", "[4]", "[1]", "[3]"]}': "prose",
    '{"ranking": [2, 4, 1, 3]}': "prose",
    "I'm sorry for the delay: [2] > [4] > [1] > [3]": "prose",
    "[2] > [4] > [1]\n> [3]": None,
    "[2] > [4]\n\n[1] > [3]": "prose",
    "2] > [4] > [1] > [3": None,
}


@pytest.mark.parametrize("text", AS_ASKED)
def test_orders_as_asked(text) -> None:
    assert read(text) == Parsed("ok", (1, 3, 0, 2), text=text.strip())


@pytest.mark.parametrize(("text", "fault"), MENDED.items())
def test_orders_mended(text, fault) -> None:
    parsed = read(text)
    assert parsed.positions == (1, 3, 0, 2)
    assert parsed.status == ("repaired" if fault else "ok")
    assert fault is None or fault in parsed.faults


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("[3]", (2, 0, 1, 3)),
        ("3", (2, 0, 1, 3)),
        ("[3] > [2", (2, 1, 0, 3)),
        ("[3] > [2] >", (2, 1, 0, 3)),
        ("The best are [3] and [2].", (2, 1, 0, 3)),
        ("Passage 3 is best, passage 2 comes next.", (2, 1, 0, 3)),
        ("3, 2 of the 4 passages", (2, 1, 0, 3)),
        ("[3][3][3]", (2, 0, 1, 3)),
        ("-3 > 2 > 3", (1, 2, 0, 3)),
        ("1.5 > 2 > 3", (1, 2, 0, 3)),
        ("[007] > [002] > [03]", (1, 2, 0, 3)),
    ],
)
def test_partial_orders_go_on_as_shown(text, positions) -> None:
    parsed = read(text)
    assert (parsed.status, parsed.positions) == ("repaired", positions)
    assert "partial" in parsed.faults


@pytest.mark.parametrize(
    "text",
    [
        "The 20 passages are all good.",
        "All 4 passages say the same.",
        "I looked at 3 of them for 2 minutes.",
        "[7] > [9]",
        "[0]",
        "[-1] > [-2]",
        "3.5",
        "3rd",
        "1e9",
        "100%",
        "[A] > [B]",
        "see https://example.org/2/page3",
        "?",
        "> > >",
        "[] > []",
        "[[[[[]]]]]",
    ],
)
def test_what_names_no_document_leaves_all_as_shown(text) -> None:
    parsed = read(text)
    assert (parsed.status, parsed.positions) == ("wrong_format", (0, 1, 2, 3))


@pytest.mark.parametrize(
    "text", ["[B] > [D] > [A] > [C]", "B > D > A > C", "[b] > [d] > [a] > [c]"]
)
def test_letters_in_orders(text) -> None:
    assert read(text, scheme="letters").positions == (1, 3, 0, 2)


def test_an_article_is_no_letter() -> None:
    parsed = read("A passage about wine is best. I like it.", scheme="letters")
    assert (parsed.status, parsed.positions) == ("wrong_format", (0, 1, 2, 3))
    assert read("Passage B, Passage D, A few others", scheme="letters").positions == (1, 3, 0, 2)


# ---------------------------------------------------------------------------- thinking, refusal


@pytest.mark.parametrize(
    "text",
    [
        "<think>[1] > [2] > [3] > [4]?</think>[2] > [4] > [1] > [3]",
        "[1] > [2] is wrong.\n</think>\n\n[2] > [4] > [1] > [3]",
        "<THINKING>\n[1]\n</Thinking>[2] > [4] > [1] > [3]",
        "<reasoning>[1]</reasoning><answer>[2] > [4] > [1] > [3]</answer>",
        "Well, [1] > [2]. <answer> [2] > [4] > [1] > [3]",
        "<answer>[1] > [2]</answer> no: <answer>[2] > [4] > [1] > [3]</answer>",
        "<think>[1]<think>[3]</think>[2] > [4] > [1] > [3]",
        "<think>a</think>[2] > [4] > [1] > [3]<think>[1] > [2]",
        "◁think▷[1]◁/think▷[2] > [4] > [1] > [3]",
        "[THINK][1][/THINK][2] > [4] > [1] > [3]",
    ],
)
def test_thinking_and_tags_do_not_count(text) -> None:
    assert read(text).status == "ok"
    assert read(text).positions == (1, 3, 0, 2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("\x00\x00", "empty"),
        ("<think>[2] > [1]", "unfinished_thinking"),
        ("<think>[2] > [1]</think>", "only_thinking"),
        ("[2] > [1]</think>  ", "only_thinking"),
    ],
)
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_nothing_is_missing_in_every_grammar(text, fault, grammar) -> None:
    parsed = read(text, grammar=grammar)
    assert (parsed.status, parsed.faults) == ("missing", (fault,))


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot rank these passages.",
    "I cannot order passages [1] and [2] as they are harmful.",
    "As an AI language model, I have no opinion on passage 3.",
    "Unfortunately, I am unable to rank them.",
    "Es tut mir leid, das kann ich nicht beantworten.",
    "Leider kann ich diese Texte nicht ordnen.",
    "Je suis désolé, je ne peux pas vous aider.",
    "Lo siento, no puedo ayudar con eso.",
    "Desculpe, não posso fazer isso.",
    "Mi dispiace, non posso aiutarti.",
    "Het spijt me, dat kan ik niet doen.",
    "Извините, я не могу помочь.",
    "Przepraszam, nie mogę pomóc.",
    "抱歉，我无法回答这个问题。",
    "对不起，我不能这样做。",
    "申し訳ありませんが、お答えできません。",
    "죄송합니다. 도와드릴 수 없습니다.",
    "عذرا، لا أستطيع المساعدة.",
    "Üzgünüm, yardımcı olamam.",
]


@pytest.mark.parametrize("text", REFUSALS)
@pytest.mark.parametrize("grammar", [each for each in GRAMMARS if each != "yes-no"])
def test_refusals_are_refusals_in_every_grammar(text, grammar) -> None:
    assert read(text, grammar=grammar).status == "refused"


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_no_yes_and_no_no(text) -> None:
    assert read(text, 1, "yes-no").status == "refused"


# -------------------------------------------------------------------------------------- tiers


@pytest.mark.parametrize(
    ("text", "positions", "scores", "status"),
    [
        ("[3] > [2] = [1] > [4]", (2, 0, 1, 3), (0.5, 0.5, 1.0, 1 / 3), "ok"),
        (
            "thoughts [1] first\n[3] > [2] = [1] > [4]",
            (2, 0, 1, 3),
            (0.5, 0.5, 1, 1 / 3),
            "repaired",
        ),
        ("[3] > [2] = [1] > [4]\nThat is all.", (2, 0, 1, 3), (0.5, 0.5, 1, 1 / 3), "repaired"),
        ("[3] > [2] > [3] > [1]", (2, 1, 0, 3), (None, 0.5, 1.0, None), "repaired"),
        ("[3] > junk > [2] > [9] > [1]", (2, 1, 0, 3), (1 / 3, 0.5, 1.0, None), "repaired"),
        ("[4] = [3] = [2] = [1]", (0, 1, 2, 3), (1.0, 1.0, 1.0, 1.0), "ok"),
        ("[3] >\n[2] >\n[1] > [4]", (2, 1, 0, 3), (1 / 3, 0.5, 1.0, 0.25), "ok"),
        ("3, 2, 1, 4", (2, 1, 0, 3), (1 / 3, 0.5, 1.0, 0.25), "repaired"),
    ],
)
def test_tiers(text, positions, scores, status) -> None:
    parsed = read(text, grammar="tiers")
    assert (parsed.positions, parsed.status) == (positions, status)
    for given_, wanted in zip(parsed.scores, scores, strict=True):
        assert math.isnan(given_) if wanted is None else given_ == pytest.approx(wanted)


def test_an_explanation_that_was_asked_for_is_no_fault() -> None:
    text = "I compared them.\n[2] > [1]"
    assert read(text, 2, "tiers").faults == ("prose",)
    assert read(text, 2, "tiers", explained=True).status == "ok"


# -------------------------------------------------------------------------------------- label


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("B", "ok"),
        ("[B]", "ok"),
        ("B.", "ok"),
        ("Passage B", "ok"),
        ("passage: B", "ok"),
        ("<answer>[B]</answer>", "ok"),
        ("b", "repaired"),
        ("**B**", "repaired"),
        ("Ｂ", "repaired"),
        ("The most relevant passage is Passage B.", "repaired"),
        ("Answer: B", "repaired"),
        ("Passage A is off. Passage C too.\nB", "repaired"),
        ("Passage A is worse.\nFinal answer: Passage B", "repaired"),
        ("Passage B is more relevant than Passage A.", "repaired"),
        ("[B] > [A] > [C]", "repaired"),
        ("B, because A is off topic", "repaired"),
        ("Only passage B. Passage B says it.", "repaired"),
    ],
)
def test_label(text, status) -> None:
    parsed = read(text, 3, "label", "letters")
    assert (parsed.positions, parsed.status) == ((1,), status)


@pytest.mark.parametrize(
    "text",
    ["E", "Passage Z", "Compared with Passage A, I prefer Passage B", "both", "Neither.", "7"],
)
def test_label_unusable(text) -> None:
    parsed = read(text, 3, "label", "letters")
    assert (parsed.positions, parsed.status) == ((), "wrong_format")


@pytest.mark.parametrize("text", ["[3]", "3", "Document [3]", "[3].", "<answer>3</answer>"])
def test_label_digits(text) -> None:
    assert read(text, 20, "label") == Parsed("ok", (2,), text=read(text, 20, "label").text)


# ---------------------------------------------------------------------------------- selection


@pytest.mark.parametrize(
    ("text", "positions", "status"),
    [
        ("[3], [1]", (2, 0), "ok"),
        ("3, 1", (2, 0), "ok"),
        ("Document 3, Document 1", (2, 0), "ok"),
        ("3 and 1", (2, 0), "repaired"),
        ("The 2 best of 4: [3], [1]", (2, 0), "repaired"),
        ("[3], [3], [8], [1]", (2, 0), "repaired"),
        ("none", (), "ok"),
        ("[]", (), "ok"),
        ("None.", (), "ok"),
        ("[7]", (), "wrong_format"),
        ("hm", (), "wrong_format"),
    ],
)
def test_selection(text, positions, status) -> None:
    parsed = read(text, 4, "selection")
    assert (parsed.positions, parsed.status) == (positions, status)


# ----------------------------------------------------------------------------- grade and yes-no


@pytest.mark.parametrize(
    ("text", "value", "status"),
    [
        ("7", 7, "ok"),
        ("7/10", 7, "ok"),
        ("7 out of 10", 7, "ok"),
        ("[7]", 7, "ok"),
        ("0", 0, "ok"),
        ("10", 10, "ok"),
        ("<answer>7</answer>", 7, "ok"),
        ("**7**", 7, "repaired"),
        ("٧", 7, "repaired"),
        ("7.5", 7.5, "repaired"),
        ("Score: 7", 7, "repaired"),
        ("Relevance label: 7. There are 3 reasons.", 7, "repaired"),
        ("It has 3 good points.\nScore: **7**", 7, "repaired"),
        ("I give it 7/10 for 2 reasons", 7, "repaired"),
        ("7 - it names 3 causes", 7, "repaired"),
        ("There are 3 causes in it.\n7", 7, "repaired"),
        ('{"score": 7}', 7, "repaired"),
        ("Bewertung: 7", 7, "repaired"),
        ("11", None, "wrong_format"),
        ("-1", None, "wrong_format"),
        ("3/5", None, "wrong_format"),
        ("It has 3 points and 2 faults in it", None, "wrong_format"),
        ("excellent", None, "wrong_format"),
        ("1e400", None, "wrong_format"),
        ("9" * 5000, None, "wrong_format"),
    ],
)
def test_grade(text, value, status) -> None:
    parsed = read(text, 1, "grade")
    assert parsed.status == status
    assert math.isnan(parsed.scores[0]) if value is None else parsed.scores == (value,)


WORDS = (("not relevant", 0.0), ("partially relevant", 1.0), ("relevant", 2.0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Relevant", 2),
        ("Not relevant.", 0),
        ("partially relevant, since", 1),
        ("It mentions wine.\nRelevance label: not relevant", 0),
        ("1", 1),
        ("Label: 2 (relevant)", 2),
    ],
)
def test_grade_by_words(text, value) -> None:
    assert read(text, 1, "grade", "none", scale=(0, 2), words=WORDS).scores == (value,)


@pytest.mark.parametrize(
    ("text", "value", "status"),
    [
        ("Yes", 1, "ok"),
        ("no.", 0, "ok"),
        ("NO", 0, "ok"),
        ("Yes, it does.", 1, "repaired"),
        ("No, since it does not say yes.", 0, "repaired"),
        ("It fits.\nYes", 1, "repaired"),
        ("Answer: no", 0, "repaired"),
        ("Ja", 1, "repaired"),
        ("Nein, gar nicht", 0, "repaired"),
        ("是", 1, "repaired"),
        ("不是的", 0, "repaired"),
        ("はい、そうです", 1, "repaired"),
        ("True", 1, "repaired"),
        ("maybe", None, "wrong_format"),
        ("Noteworthy", None, "wrong_format"),
        ("Yesterday", None, "wrong_format"),
        ("7", None, "wrong_format"),
    ],
)
def test_yes_no(text, value, status) -> None:
    parsed = read(text, 1, "yes-no")
    assert parsed.status == status
    assert math.isnan(parsed.scores[0]) if value is None else parsed.scores == (value,)


# ------------------------------------------------------------------------ grades and criteria


@pytest.mark.parametrize(
    ("text", "scores", "status"),
    [
        ('{"[1]": 7, "[2]": 0, "[3]": 10}', (7, 0, 10), "ok"),
        ('{"1": 7, "2": 0, "3": 10}', (7, 0, 10), "ok"),
        ('```json\n{"[1]": 7, "[2]": 0, "[3]": 10}\n```', (7, 0, 10), "repaired"),
        ('Here: {"[1]": 7, "[2]": 0, "[3]": 10} as asked', (7, 0, 10), "repaired"),
        ('{"[1]": 7, "[2]": 0, "[3', (7, 0, None), "repaired"),
        ('{"[1]": 7, "[2]": "0", "[3]": 10,}', (7, 0, 10), "repaired"),
        ("{'[1]': 7, '[2]': 0, '[3]': 10}", (7, 0, 10), "repaired"),
        ("[1]: 7\n[2]: 0\n[3]: 10", (7, 0, 10), "repaired"),
        ("Passage 1: 7\nPassage 2 = 0\n[3] -> 10", (7, 0, 10), "repaired"),
        ('{"[1]": 7, "[1]": 3, "[2]": 0, "[3]": 1}', (7, 0, 1), "repaired"),
        ('{"[1]": 7, "[2]": 99, "[3]": -1}', (7, None, None), "repaired"),
        ('{"[1]": 7, "[9]": 4}', (7, None, None), "repaired"),
        ('{"[1]": null, "[2]": true, "[3]": 5}', (None, None, 5), "repaired"),
        ("[7, 0, 10]", (7, 0, 10), "repaired"),
        ("[7, 0]", None, "wrong_format"),
        ("{}", None, "wrong_format"),
        ('{"[9]": 4}', None, "wrong_format"),
        ('{"[1]": NaN}', None, "wrong_format"),
        ('{"[1]": {"[2]": {}}}', None, "wrong_format"),
        ("[" * 100_000, None, "wrong_format"),
    ],
)
def test_grades(text, scores, status) -> None:
    parsed = read(text, 3, "grades")
    assert parsed.status == status
    wanted = (None,) * 3 if scores is None else scores
    for given_, value in zip(parsed.scores, wanted, strict=True):
        assert math.isnan(given_) if value is None else given_ == value


CRITERIA = ({"relevance": 7.0, "depth": 2.0}, {"relevance": 3.0, "depth": 0.0})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"[1]": {"relevance": 7, "depth": 2}, "[2]": {"relevance": 3, "depth": 0}}', "ok"),
        ("[1] relevance: 7, depth: 2\n[2] relevance: 3, depth: 0", "ok"),
        ("Doc: 1, Relevance: 7, Depth: 2\nDoc: 2, Relevance: 3, Depth: 0", "ok"),
        ("[1]: Relevance = 7; Depth = 2\n[2]: Relevance = 3; Depth = 0", "ok"),
        ('{"1": {"Relevance": 7, "Depth": 2}, "2": {"Relevance": 3, "Depth": 0', "repaired"),
        ("**[1]** relevance: 7, depth: 2\n**[2]** relevance: 3, depth: 0", "repaired"),
        ("[1] relevance: 7, depth: 2\n[2] relevance: 3, depth: 0\n[9] depth: 3", "repaired"),
    ],
)
def test_criteria(text, status) -> None:
    parsed = read(text, 2, "criteria")
    assert (parsed.criteria, parsed.status) == (CRITERIA, status)


def test_criteria_partial_and_unusable() -> None:
    parsed = read("[2] depth: 3", 2, "criteria")
    assert (parsed.criteria, parsed.faults) == (({}, {"depth": 3.0}), ("partial",))
    assert read("none of it", 2, "criteria").status == "wrong_format"
    assert read("none of it", 2, "criteria").criteria == ({}, {})


@pytest.mark.parametrize(
    ("text", "lines", "status"),
    [
        ("who?\nwhen?", ("who?", "when?"), "ok"),
        ("1. who?\n2. when?", ("who?", "when?"), "ok"),
        ("- who?\n\n* when?", ("who?", "when?"), "ok"),
        ("The questions are:\nwho?\nwhen?", ("who?", "when?"), "repaired"),
        ('["who?", "when?"]', ("who?", "when?"), "repaired"),
        ("who?\nwho?\nwhen?", ("who?", "when?"), "repaired"),
        ("-", (), "wrong_format"),
    ],
)
def test_lines(text, lines, status) -> None:
    parsed = read(text, 0, "lines")
    assert (parsed.lines, parsed.status) == (lines, status)


# -------------------------------------------------------------------------- whatever the answer

PIECES = st.sampled_from(
    [
        "[1]",
        "[2]",
        "[9]",
        "B",
        " > ",
        " = ",
        "\n",
        "{",
        '"[1]": 3',
        "<think>",
        "</think>",
        "```",
        "I'm sorry",
        "Passage 2",
        "-1",
        "3.5",
        "٢",
        "［２］",
        "\x00",
        "\u202e",
        "**",
        "7/10",
        ": ",
        ",",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=20).map("".join))


@given(
    text=TEXTS,
    n=st.integers(0, 26),
    grammar=st.sampled_from(GRAMMARS),
    scheme=st.sampled_from(["digits", "letters", "none"]),
    words=st.sampled_from([(), WORDS]),
)
def test_any_text_gives_offered_documents_only(text, n, grammar, scheme, words) -> None:
    parsed = read(text, n, grammar, scheme, words=words)
    assert parsed.status in ("ok", "repaired", "wrong_format", "missing", "refused")
    assert (parsed.status == "ok") == (not parsed.faults)
    assert len(set(parsed.positions)) == len(parsed.positions)
    assert all(0 <= position < n for position in parsed.positions)
    usable = parsed.status in ("ok", "repaired")
    if grammar in ("order", "tiers"):
        assert sorted(parsed.positions) == list(range(n))
        assert usable or parsed.positions == tuple(range(n))
    elif grammar == "label":
        assert len(parsed.positions) == usable
    elif grammar != "selection":
        assert parsed.positions == ()
    if grammar in ("tiers", "grades"):
        assert len(parsed.scores) == n
        assert usable or all(math.isnan(score) for score in parsed.scores)
    elif grammar in ("grade", "yes-no"):
        assert len(parsed.scores) == 1
        assert math.isnan(parsed.scores[0]) != usable
        assert not usable or 0 <= parsed.scores[0] <= 10
    if grammar == "criteria":
        assert len(parsed.criteria) == n
    if grammar == "lines" and usable:
        assert parsed.lines


@given(st.permutations(range(12)), st.sampled_from([" > ", ">", ", ", "\n", " > \n"]))
def test_every_order_is_read_back(order, separator) -> None:
    text = separator.join(f"[{i + 1}]" for i in order)
    assert read(text, 12).positions == tuple(order)
    letters = separator.join(f"[{chr(65 + i)}]" for i in order)
    assert read(letters, 12, scheme="letters").positions == tuple(order)


@given(st.lists(st.integers(0, 10), min_size=1, max_size=20))
def test_every_table_of_grades_is_read_back(grades) -> None:
    text = json.dumps({f"[{i + 1}]": grade for i, grade in enumerate(grades)})
    assert read(text, len(grades), "grades").scores == tuple(grades)
    # Cut anywhere, what is whole stays right.
    for end in range(0, len(text), 7):
        cut = read(text[:end], len(grades), "grades").scores
        assert all(
            math.isnan(a) or a == b or str(b).startswith(str(int(a)))
            for a, b in zip(cut, grades, strict=True)
        )


MEGABYTE = 1_000_000
ENDLESS = {
    "labels": "[1] > ",
    "open brackets": "[",
    "spaces": " ",
    "spaces after a bracket": "[ ",
    "digits": "7",
    "letters": "a",
    "dots": "1.",
    "quotes": '"',
    "braces": '{"[1]": ',
    "nested": '{"a":',
    "pairs": '"[1]": 7, ',
    "stars": "*",
    "fences": "```\n",
    "thinking": "<think>",
    "ended thinking": "</think>",
    "half tags": "<think ",
    "answers": "<answer>",
    "names": "passage ",
    "grade words": "score: ",
    "combining marks": "a\u0315\u0300",
    "arabic": "٣ > ",
    "lines": "1. 2\n",
    "empty lines": "\n",
    "signs": ">",
    "equal signs": "= ",
    "minus": "-",
    "sorry": "I'm sorry ",
    "commas": ",",
    "colons": "a: ",
    "null": "\x00",
}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS.keys())
def test_endless_answers_take_no_time(piece) -> None:
    text = piece * (MEGABYTE // len(piece))
    for grammar in GRAMMARS:
        for scheme in ("digits", "letters") if grammar in ("order", "label") else ("digits",):
            started = time.perf_counter()
            read(text, 20, grammar, scheme, words=WORDS)
            # Quadratic time would be minutes.
            assert time.perf_counter() - started < 20.0
