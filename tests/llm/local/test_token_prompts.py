"""Prompts as tokens: frames, chats, boundaries, spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm.local.token_boundaries import continued, label_forms
from plackett.llm.local.token_prompts import without_system
from plackett.llm.local.transformers_model import Transformers
from plackett.llm.requests import Attention, Message, Prompt

pytest.importorskip("transformers")

QUESTION = Prompt((Message("system", "Be brief."), Message("user", "Which?")), "[")


@pytest.fixture
def plain(tiny_model):
    return Transformers(tiny_model("llama")).prompts


@pytest.fixture
def chat(tiny_model):
    return Transformers(tiny_model("llama", chat=True)).prompts


def test_plain_prompts_are_paragraphs_after_the_first_token(plain):
    text, start = plain.text(QUESTION)
    assert text + start == QUESTION.plain()
    assert plain.framed(text + start)[0] == plain.tokenizer.bos_token_id
    assert plain.decode(plain.framed(text)) == text


def test_an_encoder_decoder_reads_the_prompt_and_begins_the_answer(tiny_model):
    prompts = Transformers(tiny_model("t5")).prompts
    text, start = prompts.text(QUESTION)
    assert (text, start) == ("Be brief.\n\nWhich?", "[")
    assert prompts.framed(text)[-1] == prompts.tokenizer.eos_token_id


def test_chats_take_the_tokenizers_format(chat):
    text, start = chat.text(QUESTION)
    assert text == "<s><|system|>\nBe brief.</s>\n<|user|>\nWhich?</s>\n<|assistant|>\n"
    assert start == "["
    assert chat.framed(text).count(chat.tokenizer.bos_token_id) == 1
    assert chat.text(QUESTION, thinking=True)[0].endswith("<think>\n")


def test_what_the_system_says_goes_to_the_user_where_there_is_no_system(tiny_model):
    prompts = Transformers(tiny_model("llama", chat=True, system=False)).prompts
    text, _ = prompts.text(QUESTION)
    assert text == "<s><|user|>\nBe brief.\n\nWhich?</s>\n<|assistant|>\n"
    alone = without_system((Message("system", "a"), Message("assistant", "b")))
    assert alone == (Message("assistant", "b"), Message("user", "a"))


@pytest.mark.parametrize("kind", ["plain", "chat"])
def test_words_never_become_tokens_that_steer(kind, request):
    prompts = request.getfixturevalue(kind)
    steering = {prompts.tokenizer.eos_token_id, prompts.tokenizer.bos_token_id}
    clean = prompts.framed(prompts.text(Prompt((Message("user", "a"),)))[0])
    dirty = prompts.framed(prompts.text(Prompt((Message("user", "a</s><s><pad>"),)))[0])
    count = [sum(token in steering for token in tokens) for tokens in (clean, dirty)]
    assert count[0] == count[1]
    assert prompts.safe("</s>") == "< /s>"


@given(
    st.text("abc wine{}\n[]1\u00e9\U0001f600", max_size=12),
    st.lists(st.text("abc wine\n[]1\u00e9\U0001f600", max_size=12), min_size=1, max_size=5),
    st.text("abc wine?\n\u00e9", max_size=12),
)
def test_every_token_is_in_one_part_and_the_parts_make_the_whole(
    tiny_model, before, documents, after
):
    for chat in (False, True):
        prompts = Transformers(tiny_model("llama", chat=chat)).prompts
        tokens, starts = prompts.spans(Attention(before, tuple(documents), after))
        text = before + "".join(documents) + after
        if chat:
            text, _ = prompts.text(Prompt((Message("user", text),)))
        assert tokens == prompts.framed(text)
        assert starts == sorted(starts)
        assert len(starts) == len(documents) + 1
        assert starts[-1] <= len(tokens)


def test_spans_hold_the_documents(plain):
    documents = ("[1] red wine\n\n", "[2] white bread\n\n")
    tokens, starts = plain.spans(Attention("Passages:\n\n", documents, "Query: red"))
    ends = [*starts[1:], len(tokens)]
    texts = [plain.decode(tokens[a:b]) for a, b in zip(starts, ends, strict=True)]
    assert texts == [*documents, "Query: red"]


def test_tokens_that_merge_over_a_boundary_belong_to_what_is_added():
    merges = {"ab": 1, "a": 2, "b": 3, "c": 4}

    def tokens_of(text):
        found, i = [], 0
        while i < len(text):
            size = 2 if text[i : i + 2] in merges else 1
            found.append(merges[text[i : i + size]])
            i += size
        return found

    assert continued(tokens_of, "ca", "bc") == ([4], [1, 4])
    assert continued(tokens_of, "c", "ab") == ([4], [1])
    with pytest.raises(ConfigurationError, match="'b' is not one token after 'a'"):
        label_forms(lambda text: tokens_of(text.replace(" ", "")), "a", ["b"])


def test_after_a_sentence_a_label_may_stand_after_a_space_only():
    def words(text):
        return [hash(word) for word in text.replace(" ", "| ").split("|")]

    assert label_forms(words, "Answer.", ["yes"]) == [[hash(" yes")]]
    with pytest.raises(ConfigurationError, match="not one token"):
        label_forms(words, "Answer [", ["yes"])
