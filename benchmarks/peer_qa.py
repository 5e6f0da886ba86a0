"""Question answering by transformers alone, as its example run_qa.py does it: features, answers, and F1."""

from collections.abc import Iterator, Sequence
from typing import Any

STRIDE = 128  # tokens that windows share
BEST = 20  # starts, and ends, that are looked at
LONGEST = 30  # tokens of an answer

Row = dict[str, Any]


def encode(tokenizer: Any, row: Row, max_length: int) -> Any:
    """The windows of a row, as the tokenizer's result."""
    return tokenizer(
        row["question"],
        row["context"],
        truncation="only_second",
        max_length=max_length,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )


def features(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    """The model's inputs for each window; one without the answer points at its first token."""
    encoded = encode(tokenizer, row, max_length)
    begin, text = row["answers"]["answer_start"][0], row["answers"]["text"][0]
    for number, offsets in enumerate(encoded["offset_mapping"]):
        parts = encoded.sequence_ids(number)
        context = [token for token, part in enumerate(parts) if part == 1]
        start = end = 0
        if offsets[context[0]][0] <= begin and begin + len(text) <= offsets[context[-1]][1]:
            start = max(token for token in context if offsets[token][0] <= begin)
            end = min(token for token in context if offsets[token][1] >= begin + len(text))
        yield inputs_of(encoded, number) | {"start_positions": start, "end_positions": end}


def inputs_of(encoded: Any, number: int) -> Row:
    """What a model gets of one window."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: encoded[name][number] for name in names if name in encoded}


def answer(model: Any, tokenizer: Any, row: Row, max_length: int) -> str:
    """The best span of all windows, by the sum of its logits; each window by itself, without padding."""
    import torch

    encoded, found = encode(tokenizer, row, max_length), [(float("-inf"), 0, 0)]
    for number, offsets in enumerate(encoded["offset_mapping"]):
        outputs = model(**{k: torch.tensor([v]) for k, v in inputs_of(encoded, number).items()})
        logits = outputs.start_logits[0].numpy(), outputs.end_logits[0].numpy()
        found += candidates(*logits, offsets, encoded.sequence_ids(number))
    _, begin, end = max(found)
    return str(row["context"][begin:end])


def candidates(
    starts: Any, ends: Any, offsets: Sequence[tuple[int, int]], parts: Sequence[int | None]
) -> Iterator[tuple[float, int, int]]:
    """The likeliest spans of a window: the sum of their logits, and where they are in the context.

    The logits are numpy arrays, shape (tokens,), longer than the window where it was padded.
    """
    scores, last = (starts.tolist(), ends.tolist()), len(parts)
    first_of, last_of = ((-each).argsort(kind="stable")[:BEST].tolist() for each in (starts, ends))
    for start in first_of:
        for end in last_of:
            if start <= end < min(last, start + LONGEST) and parts[start] == parts[end] == 1:
                yield scores[0][start] + scores[1][end], offsets[start][0], offsets[end][1]


def judge(answers: Sequence[str], rows: Sequence[Row]) -> float:
    """F1 of the answers, by torchmetrics' SQuAD."""
    from torchmetrics.functional.text import squad

    found = [{"id": str(number), "prediction_text": text} for number, text in enumerate(answers)]
    wanted = [{"id": str(number), "answers": row["answers"]} for number, row in enumerate(rows)]
    return float(squad(found, wanted)["f1"]) / 100
