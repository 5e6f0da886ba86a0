"""Languages: their codes in tokenizers, their names in columns, and how their words are told apart."""

import difflib
from collections.abc import Sequence
from typing import Any

from tunekit.errors import InputError, listing

NAMES = {  # by code; as columns are called, and as T5's prefixes call them
    "ar": "Arabic",
    "bn": "Bengali",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
BLEU_TOKENIZERS = {  # by the beginning of a code: sacrebleu's own choice for languages without blanks
    "zh": "zh",
    "zho": "zh",
    "cmn": "zh",
    "yue": "zh",
    "ja": "ja-mecab",
    "jpn": "ja-mecab",
    "ko": "ko-mecab",
    "kor": "ko-mecab",
}
NEAR = 6  # codes that a message names


def short(code: str) -> str:
    """The part of a code that names the language: de of de_DE, zho of zho_Hans."""
    return code.replace("-", "_").split("_")[0].lower()


def bleu_tokenizer(code: str | None) -> str:
    """How sacrebleu parts the words of a language."""
    return BLEU_TOKENIZERS.get(short(code or ""), "13a")


def columns_of(code: str | None) -> tuple[str, ...]:
    """What a column of texts in a language may be called, also inside a column of translations."""
    if code is None:
        return ()
    names = dict.fromkeys([code.lower(), short(code), NAMES.get(short(code), code).lower()])
    return tuple(name for each in names for name in (each, f"translation.{each}"))


def is_marked(processor: Any) -> bool:
    """Whether a text itself says which language is wanted: >>deu<< comes before it."""
    return bool(getattr(processor, "supported_language_codes", None))


def codes_of(processor: Any) -> list[str]:
    """The codes of languages that a tokenizer knows; none where it has nothing to do with languages."""
    if is_marked(processor):
        return [code.strip("<>") for code in processor.supported_language_codes]
    if not hasattr(processor, "src_lang"):
        return []
    if known := getattr(processor, "lang_code_to_id", None):
        return list(known)
    usual = set(processor.special_tokens_map.values())
    return [token for token in processor.all_special_tokens if token not in usual]


def set_languages(processor: Any, source: str | None, target: str | None) -> None:
    """Tell a tokenizer that knows languages from which one to which one it goes.

    Raises:
        InputError: it does not know one of them, or was never told; names the nearest codes.
    """
    codes = codes_of(processor)
    if not codes or (is_marked(processor) and target is None):
        return
    wanted = {"target_language": target}
    if not is_marked(processor):
        told = processor.tgt_lang is not None  # when it was saved
        source = source or (processor.src_lang if told else None)
        wanted = {"source_language": source, "target_language": target or processor.tgt_lang}
    if problems := [problem(key, code, codes) for key, code in wanted.items() if code not in codes]:
        raise InputError(problems)
    if not is_marked(processor):
        processor.src_lang, processor.tgt_lang = wanted.values()


def problem(key: str, code: str | None, codes: Sequence[str]) -> str:
    """What is wrong with a code that a tokenizer does not have."""
    if code is None:
        some = listing(codes, NEAR)
        return f"task.{key} is missing; the tokenizer knows languages by codes: give one of {some}"
    near = listing(nearest_to(code, codes))
    return f"task.{key} {code!r} is no code of the tokenizer; the nearest are {near}; take one"


def nearest_to(code: str, codes: Sequence[str]) -> list[str]:
    """The codes that begin as one does, then those that are spelled alike, then the first."""
    begins = [each for each in codes if each.lower()[:2] == code.lower()[:2]]
    alike = difflib.get_close_matches(code, codes, NEAR, 0.5)
    return list(dict.fromkeys([*begins, *alike]))[:NEAR] or list(codes[:NEAR])
