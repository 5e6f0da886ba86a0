"""What a fast tokenizer makes of texts, window by window."""

from typing import Any


def encodings(processor: Any, encoded: Any) -> list[tuple[dict[str, Any], Any]]:
    """Pair each window of a fast tokenizer's result with its alignment: `[(inputs, encoding), ...]`.

    Words of the text that are spelled like a special token (`</s>`) become unknown ones: models trust that
    those tokens mean what they mean.
    """
    keys = [key for key in encoded if key != "overflow_to_sample_mapping"]
    special = set(processor.all_special_ids) - {processor.unk_token_id}
    pairs = []
    for number, encoding in enumerate(encoded.encodings):
        inputs = {key: list(encoded[key][number]) for key in keys}
        for place, (token, added) in enumerate(zip(encoding.ids, encoding.special_tokens_mask, strict=True)):
            if not added and token in special:
                inputs["input_ids"][place] = processor.unk_token_id
        pairs.append((inputs, encoding))
    return pairs
