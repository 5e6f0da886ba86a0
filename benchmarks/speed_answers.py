"""Evaluation around the Trainer, for benchmarks/speed.py: answers and metrics as the scripts make them."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import peer_qa
import peer_summarization
import quality
import speed_work

MEASURES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

Found = dict[str, float]


def prepared(peer: Any, trainer: Any, rows: Sequence[quality.Row]) -> Callable[[], Found]:
    """Encode rows, and return what answers and judges them."""
    trainer.args.train_sampling_strategy = (
        "sequential"  # of evaluations too: else lengths are grouped at random
    )
    kinds = {"qa": spans, "summarization": summaries, "summarization-gpt": continuations}
    return kinds.get(peer.task.recipe, labels)(peer, trainer, rows)


def in_order(peer: Any, lengths: Sequence[int]) -> list[int]:
    """The order in which windows are answered: the longest first if tuned."""
    return list(np.argsort(-np.asarray(lengths), kind="stable")) if peer.tuned else list(range(len(lengths)))


def ordered(peer: Any, features: Sequence[quality.Row]) -> tuple[Any, list[int]]:
    """Features in the order in which they are answered, and that order."""
    order = in_order(peer, [len(feature["input_ids"]) for feature in features])
    return peer.table([features[number] for number in order]), order


def labels(peer: Any, trainer: Any, rows: Sequence[quality.Row]) -> Callable[[], Found]:
    """Accuracy of labels."""
    table, _ = ordered(peer, peer.features(rows))
    trainer.compute_metrics = accuracy
    return lambda: {"metric": trainer.evaluate(table)["eval_accuracy"]}


def accuracy(predicted: Any) -> Found:
    """The share of right labels."""
    return {"accuracy": float((predicted.predictions.argmax(-1) == predicted.label_ids).mean())}


def spans(peer: Any, trainer: Any, rows: Sequence[quality.Row]) -> Callable[[], Found]:
    """F1 of answers: the best span of all windows of a row."""
    of_rows = [peer_qa.encode(peer.tokenizer, row, peer.task.max_length) for row in rows]
    windows = [(row, part) for row, each in enumerate(of_rows) for part in range(len(each["input_ids"]))]
    table, order = ordered(peer, [peer_qa.inputs_of(of_rows[row], part) for row, part in windows])

    def answer() -> Found:
        starts, ends = trainer.predict(table).predictions[:2]
        best = [(float("-inf"), 0, 0)] * len(rows)
        for place, number in enumerate(order):
            row, part = windows[number]
            offsets, parts = of_rows[row]["offset_mapping"][part], of_rows[row].sequence_ids(part)
            start, end = starts[place][: len(parts)], ends[place][: len(parts)]
            best[row] = max([best[row], *peer_qa.candidates(start, end, offsets, parts)])
        texts = [row["context"][begin:end] for row, (_, begin, end) in zip(rows, best, strict=True)]
        return {"metric": peer_qa.judge(texts, rows)}

    return answer


def summaries(peer: Any, trainer: Any, rows: Sequence[quality.Row]) -> Callable[[], Found]:
    """ROUGE of what an encoder-decoder writes, by the Trainer itself, which also computes its loss."""
    table, order = ordered(peer, peer.features(rows))
    found: Found = {}

    def judge(predicted: Any) -> Found:
        found.update(judged(peer, list(predicted.predictions), [rows[number] for number in order]))
        return {}

    trainer.compute_metrics = judge

    def answer() -> Found:
        trainer.evaluate(table, max_new_tokens=speed_work.SUMMARY, num_beams=1)
        return found

    return answer


def continuations(peer: Any, trainer: Any, rows: Sequence[quality.Row]) -> Callable[[], Found]:
    """ROUGE of what a decoder writes; the Trainer has no way for it, so `generate` is called with batches."""
    import torch

    prompts = [peer_summarization.prompt(peer.tokenizer, row, peer.task.max_length) for row in rows]
    order, size = in_order(peer, [len(each) for each in prompts]), trainer.args.per_device_eval_batch_size
    peer.tokenizer.padding_side = "left"

    def answer() -> Found:
        tokens: list[Any] = []
        low = torch.autocast("cpu", torch.bfloat16) if peer.job.variant == "tuned" else nullcontext()
        peer.model.eval()
        with torch.inference_mode(), low:
            for start in range(0, len(order), size):
                batch = [prompts[number] for number in order[start : start + size]]
                tokens += written(peer, batch)
        return judged(peer, tokens, [rows[number] for number in order])

    return answer


def written(peer: Any, prompts: Sequence[list[int]]) -> list[Any]:
    """What a decoder writes behind prompts."""
    inputs = peer.tokenizer.pad({"input_ids": list(prompts)}, return_tensors="pt")
    pad = peer.tokenizer.pad_token_id
    ids = peer.model.generate(**inputs, max_new_tokens=speed_work.SUMMARY, do_sample=False, pad_token_id=pad)
    return [each.numpy() for each in ids[:, inputs["input_ids"].shape[1] :]]


def judged(peer: Any, tokens: Sequence[Any], rows: Sequence[quality.Row]) -> Found:
    """Mean ROUGE-L of written tokens against the nearest reference, and how many tokens were written."""
    from rouge_score.rouge_scorer import RougeScorer

    end, scorer = peer.tokenizer.eos_token_id, RougeScorer(list(MEASURES), use_stemmer=True)
    begun = 1 if peer.task.recipe == "summarization" else 0  # the decoder's start token
    ids = [[int(token) for token in each[begun:] if token >= 0] for each in tokens]
    texts = peer.tokenizer.batch_decode(ids, skip_special_tokens=True)
    scores = [scorer.score_multi(row["summaries"], text) for row, text in zip(rows, texts, strict=True)]
    return {
        "metric": statistics.fmean(score["rougeL"].fmeasure for score in scores),
        "written": sum(speed_work.written(each, end) for each in ids),
    }
