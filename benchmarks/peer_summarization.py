"""Summaries by a decoder with transformers alone: features, answers by `generate`, and rouge-score."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

SEPARATOR, SUMMARY = "\n\nSummary:", 48  # tokens of a summary, learned or written

Row = dict[str, Any]


def prompt(tokenizer: Any, row: Row, max_length: int) -> list[int]:
    """The tokens of a document, cut so that the separator fits behind it."""
    separator = tokenizer(SEPARATOR, add_special_tokens=False)["input_ids"]
    room = max_length - len(separator)
    return list(tokenizer(row["document"], truncation=True, max_length=room)["input_ids"]) + separator


def features(tokenizer: Any, row: Row, max_length: int, summary: int = SUMMARY) -> Iterator[Row]:
    """The model's inputs: only the summary and its end are learned."""
    asked = prompt(tokenizer, row, max_length)
    written = tokenizer(" " + row["summary"].strip(), add_special_tokens=False)["input_ids"][: summary - 1]
    written = [*written, tokenizer.eos_token_id]
    ids = asked + written
    yield {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [-100] * len(asked) + written}


def answer(model: Any, tokenizer: Any, row: Row, max_length: int) -> str:
    """The likeliest next tokens, one document at a time, without padding."""
    import torch

    ids = torch.tensor([prompt(tokenizer, row, max_length)])
    written = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=SUMMARY,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    return str(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)).strip()


def judge(answers: Sequence[str], rows: Sequence[Row]) -> float:
    """The mean ROUGE-L of the answers, each against the nearest of its references."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    return statistics.fmean(
        scorer.score_multi(row["summaries"], text)["rougeL"].fmeasure
        for text, row in zip(answers, rows, strict=True)
    )
