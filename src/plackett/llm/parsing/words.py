"""The words by which answers are recognised, in the languages that models answer in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["GRADE_WORDS", "NAME_BEFORE_LABEL", "NOTHING", "REFUSAL", "YES_NO"]


def _listed(words: str) -> list[str]:
    return words.split("|")


_NAMES = (
    "passages? documents? docs? texts? items? candidates? abstracts? results? paragraphs? snippets?"
    " id identifier nr option"
    " dokumente? absatz absätze passagen? textes? passaggi[o]? document[oi]s? pasajes? fragmentos?"
    " trecho passagem documenten? документа? текст пассаж отрывок dokumentu? fragment belge metin"
    " 文档 文件 文章 段落 文書 文献 パッセージ 문서 구절 وثيقة مقطع نص"
)

NAME_BEFORE_LABEL = re.compile(
    rf"(?<!\w)(?:{'|'.join(_NAMES.split())})[ \t]{{0,3}}[#:№]?[ \t]{{0,3}}$", re.IGNORECASE
)
"""What stands before a label that is named: "Passage 3", "Dokument A", "文档 3"."""

_REFUSALS = (
    # English
    r"i(?:'m| am) (?:really |very |truly |so )?(?:sorry|afraid)",
    r"i(?: am|'m) (?:unable|not able|not allowed|not permitted)",
    r"i (?:can ?not|can't|could not|couldn't|won't|will not|must decline|decline|refuse)",
    r"as an? (?:ai|artificial|large language|language) ",
    r"(?:my apologies|i apologi[sz]e|unfortunately, i)",
    # German, Dutch
    r"(?:es )?tut mir (?:sehr )?leid",
    r"ich kann (?:diese|das|dies|ihnen|dir|leider|die|keine)\b",
    r"(?:leider|als (?:ki|sprachmodell)\b)",
    r"(?:het )?spijt me",
    r"ik kan (?:dit|dat|deze|helaas|de|geen|niet)\b",
    # French
    r"(?:je suis |je )?(?:désolée?|regrette)",
    r"je ne (?:peux|puis|suis) pas",
    r"en tant qu'(?:ia|intelligence|assistant|mod[eè]le)",
    # Spanish, Portuguese, Italian
    r"lo siento",
    r"(?:lo lamento|me disculpo|disculpe|desculpe|sinto muito|lamento)",
    r"no (?:puedo|me es posible)\b",
    r"não (?:posso|consigo|é possível)\b",
    r"(?:mi dispiace|mi scuso|non posso|non sono in grado)",
    r"como (?:una? )?(?:ia|modelo)\b",
    # Slavic, Turkish
    r"(?:извините|простите|к сожалению|я не могу|не могу)",
    r"(?:przepraszam|nie mogę|niestety)",
    r"(?:omlouvám se|nemohu|bohužel)",
    r"(?:üzgünüm|özür dilerim|maalesef)",
    # Chinese, Japanese, Korean
    r"(?:抱歉|对不起|對不起|很遗憾|很遺憾|我无法|我無法|我不能|作为一个?(?:人工智能|ai|语言模型))",
    r"(?:申し訳|すみません|ごめんなさい|できません|お答えできません)",
    r"(?:죄송|미안합니다|할 수 없습니다)",
    # Arabic, Hebrew, Hindi
    r"(?:عذرا|آسف|أعتذر|لا أستطيع|لا يمكنني)",
    r"(?:מצטער|אינני יכול|אני לא יכול)",
    r"(?:क्षमा करें|माफ़ कीजिए|मैं नहीं)",
)

REFUSAL = re.compile(rf"(?<!\w)(?:{'|'.join(_REFUSALS)})", re.IGNORECASE)
"""What an answer begins with that is none."""

NOTHING = frozenset(
    _listed(
        "none|[]|{}|no passages|no documents|none of them|none of the passages"
        "|none of the documents|empty|n/a|nothing|keine|keines|keiner|aucun|aucune|ninguno"
        "|ninguna|nessuno|nenhum|geen"
        "|нет|ничего|无|没有|なし|없음|لا شيء"
    )
)
"""Answers that choose no document, on purpose."""

YES_NO: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(
        _listed(
            "yes|true|relevant|ja|wahr|oui|vrai|sí|si|verdadero|sim|verdadeiro|sì|vero|waar|да|tak"
            "|ano|evet|是|是的|相关|はい|예|네|نعم|כן|हाँ"
        ),
        1.0,
    )
    | dict.fromkeys(
        _listed(
            "no|not|false|not relevant|irrelevant|non-relevant|nein|falsch|non|faux|falso|não|nee"
            "|onwaar|нет|nie|ne|hayır|否|不是|不|不相关|いいえ|아니요|아니오|لا|לא|नहीं"
        ),
        0.0,
    )
)
"""Yes and no in many languages, for answers in another one than the prompt's."""

GRADE_WORDS = re.compile(
    r"(?<!\w)(?:relevance label|relevance score|final score|final answer|overall score|score|grade"
    r"|rating|relevance|label|judge?ment|answer|note|bewertung|punktzahl|antwort|relevanz|wertung"
    r"|puntuación|puntaje|calificación|respuesta|réponse|punteggio|voto|pontuação|nota|оценка"
    r"|ответ|ocena|puan|评分|得分|分数|答案|スコア|評価|점수|درجة)"
    r"[\"'*_`]{0,4}\s{0,3}(?:is|of|ist|est|es|è|é|would be)?\s{0,3}[:=\-]?\s{0,3}"
    r"[\"'*_`\[({<]{0,4}\s{0,3}$",
    re.IGNORECASE,
)
"""What stands before the number, or the word, that is meant."""
