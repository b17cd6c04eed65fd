"""One parser for all that language models answer: by grammar, repaired, and classed.

| grammar | an answer as asked | what is read |
| --- | --- | --- |
| order | `[2] > [3] > [1]` | all positions, best first |
| tiers | `[2] > [3] = [1]`, in the last line | the same, and scores 1/(1 + tier) |
| label | `[2]`, `B`, `Passage B` | one position |
| selection | `[2], [3]`, `Document 2, Document 3`, `none` | the positions chosen |
| grade | `7`, `7/10`, a word of the template | one number on the scale |
| yes-no | `Yes` | 1 or 0 |
| grades | `{"[1]": 7, "[2]": 0}` | one number a document |
| criteria | `{"[1]": {"depth": 2}}`, `Doc: 1, Depth: 2` | named numbers a document |
| lines | one item a line | the items |
| text | anything | itself |

An answer may stand behind thinking (`<think>`) and in answer tags: those belong to the way it was
asked for. Whatever else must be mended is named in `Parsed.faults`. What cannot be read leaves the
documents as they were shown; no answer can make a document appear or vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from plackett.llm.parsing.base import Form, Grammar, Parsed, Status, unusable
from plackett.llm.parsing.cleaning import answer_part, is_refusal
from plackett.llm.parsing.orders import read_label, read_order, read_selection, read_tiers
from plackett.llm.parsing.tables import read_criteria, read_grades
from plackett.llm.parsing.values import read_grade, read_lines, read_text, read_yes_no

__all__ = ["Form", "Grammar", "Parsed", "Status", "parse_answer"]

_READERS: Mapping[Grammar, Callable[[str, int, Form], Parsed]] = MappingProxyType(
    {
        "order": read_order,
        "tiers": read_tiers,
        "label": read_label,
        "selection": read_selection,
        "grade": read_grade,
        "yes-no": read_yes_no,
        "grades": read_grades,
        "criteria": read_criteria,
        "lines": read_lines,
        "text": read_text,
    }
)


def parse_answer(text: str, n: int, form: Form) -> Parsed:
    """Read an answer about n documents.

    Any text gives a result, in time linear in its length: an answer of more than 60,000
    characters is read at its beginning and its end.

    Parameters
    ----------
    text : what the model wrote, what the prompt had begun for it included.
    n : how many documents were shown.
    form : how the answer was asked for.

    >>> parsed = parse_answer("Sure! [3] > [1]", 3, Form("order"))
    >>> parsed.status, parsed.positions, parsed.faults
    ('repaired', (2, 0, 1), ('prose', 'partial'))
    >>> parse_answer("", 2, Form("order"))
    Parsed(status='missing', positions=(0, 1), scores=None, faults=('empty',), text='')
    >>> parse_answer("I'm sorry, I cannot do that.", 1, Form("grade")).status
    'refused'
    """
    part, fault = answer_part(text)
    if not part:
        return unusable("missing", fault, part, n, form)
    # In free words an apology may stand anywhere; only an answer that begins so is none.
    if form.grammar in ("lines", "text") and is_refusal(part, at_start=True):
        return unusable("refused", "refusal", part, n, form)
    parsed = _READERS[form.grammar](part, n, form)
    if form.explained and parsed.status == "repaired":
        left = tuple(fault for fault in parsed.faults if fault != "prose")
        parsed = replace(parsed, faults=left, status="repaired" if left else "ok")
    if parsed.status != "ok" and not parsed.firm and is_refusal(part):
        return unusable("refused", "refusal", part, n, form)
    return parsed
