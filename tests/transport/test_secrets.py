"""Keys are not shown, whatever is done with them."""

import copy
import json
import logging
import pickle

import pytest

from plackett.errors import ConfigurationError
from plackett.transport.secrets import Secret, check_key_name, read_key, redact

KEY = "sk-0123456789abcdefghij"


def test_a_secret_is_shown_in_no_form(caplog):
    secret = Secret(f" {KEY}\n", name="A_KEY")
    assert secret.reveal() == KEY
    logging.getLogger("x").warning("the key %s %r", secret, secret)
    shown = [repr(secret), str(secret), f"{secret:>60}", "%s" % secret, f"{[secret]}", caplog.text]  # noqa: UP031
    assert not any(KEY in text for text in shown)
    with pytest.raises(TypeError):
        json.dumps({"key": secret})
    for copied in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            copied(secret)


def test_secrets_are_equal_by_what_they_hold():
    assert Secret("a", "x") == Secret("a", "y")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


@pytest.mark.parametrize("value", ["", "  ", None, 5, "two\nlines", "ключ", "a\x00b"])
def test_what_no_header_can_carry_is_refused(value):
    with pytest.raises(ConfigurationError, match="MY_KEY") as caught:
        Secret(value, name="MY_KEY")
    assert "lines" not in str(caught.value).replace("line breaks", "")


def test_a_key_is_read_by_name(monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)
    assert read_key("A_KEY") == Secret(KEY)
    assert read_key("A_KEY").name == "A_KEY"
    assert read_key(None) is None
    secret = Secret("x")
    assert read_key(secret) is secret
    monkeypatch.setenv("A_KEY", "  ")
    with pytest.raises(ConfigurationError, match="not set"):
        read_key("A_KEY")


@pytest.mark.parametrize(
    "key",
    [KEY, "sk-proj-abc", "", "A KEY", 5, "jina_0123456789abcdef01234", "A" * 64 + "B",
     "0123456789abcdef0123456789abcdef01", "pa_0123456789abcdef"],
)  # fmt: skip
def test_a_key_in_place_of_its_name_is_refused_and_not_repeated(key):
    with pytest.raises(ConfigurationError, match="not the key itself") as caught:
        check_key_name(key)
    assert not key or str(key) not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "KEY", "_k2", "MXBAI_API_KEY", "MY_COMPANY_VLLM"]
)
def test_names_of_variables_are_names(name):
    check_key_name(name)


def test_every_secret_is_taken_out_of_a_text():
    text = redact("a b a c", [Secret("a"), None, Secret("c")])
    assert text == "[hidden] b [hidden] [hidden]"
