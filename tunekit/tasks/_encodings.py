"""What a fast tokenizer makes of texts, window by window."""

from typing import Any


def encodings(processor: Any, encoded: Any) -> list[tuple[dict[str, Any], Any]]:
    """Pair each window of a fast tokenizer's result with its alignment: `[(inputs, encoding), ...]`.

    Words of the text that are spelled like a special token (`</s>`) become unknown ones: models trust that
    those tokens mean what they mean.
    """
    keys = [key for key in encoded if key != "overflow_to_sample_mapping"]
    special = meaningful(processor)
    pairs = []
    for number, encoding in enumerate(encoded.encodings):
        inputs = {key: list(encoded[key][number]) for key in keys}
        for place, (token, added) in enumerate(zip(encoding.ids, encoding.special_tokens_mask, strict=True)):
            if not added and token in special:
                inputs["input_ids"][place] = processor.unk_token_id
        pairs.append((inputs, encoding))
    return pairs


def meaningful(processor: Any) -> set[int]:
    """The tokens that models trust to mean something, and that no text may hold."""
    return set(processor.all_special_ids) - {processor.unk_token_id}


def plain_tokens(processor: Any, **text: str) -> list[int]:
    """The tokens of a `text`, or of a `text_target`, by any tokenizer, with no special one among them."""
    special = meaningful(processor)
    ids = processor(**text, add_special_tokens=False, verbose=False)["input_ids"]
    return [processor.unk_token_id if token in special else token for token in ids]


def tokens_around(processor: Any, **text: str) -> tuple[list[int], list[int]]:
    """The tokens that a tokenizer puts before and behind a `text`, or a `text_target`."""
    bare = processor(**text, add_special_tokens=False)["input_ids"]
    whole = processor(**text)["input_ids"]
    places = range(len(whole) - len(bare) + 1)
    start = next(place for place in places if whole[place : place + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def between(processor: Any) -> str:
    """What parts two texts where the tokenizer puts no token between them: a line break, or a bar.

    Some tokenizers take a line break for a blank.
    """
    (encoding,) = processor(["a"], ["a"]).encodings
    parts = encoding.sequence_ids
    if None in parts[parts.index(0) : parts.index(1)]:
        return ""
    broken, blank = (processor(text)["input_ids"] for text in ("a\na", "a a"))
    return " | " if broken == blank else "\n"
