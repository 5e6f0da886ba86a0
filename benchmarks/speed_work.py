"""The work that both tools of benchmarks/speed.py get: workloads, checkpoints, rows, and lengths of runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import quality
import vit

WHOLE = "whole"  # the folder of rows for whole runs; with a limit WHOLE_LIMITED
WHOLE_LIMITED = "whole-limited"
SUMMARY = 64  # tokens of a summary, learned or written
SENTENCE = 128  # tokens of a text of the large encoder, and what the scripts pad sentences to
SIDE, PATCH = 224, 16  # of pictures
LONG_TEXTS = 2048  # rows of the large encoder
MEGA_BATCH = 50  # batches that the Trainer sorts together by length
FEWEST_ROWS = 8  # of a validation split that is not used
FEWEST_STEPS, MOST_STEPS = 3, 48  # that are timed; the most of a mega-batch, and two to spare

VARIANTS = ("tunekit", "defaults", "tuned", "onednn")


@dataclass(frozen=True)
class Workload:
    """A task with a checkpoint, and how long its steps take on the two cores it was written on."""

    task: quality.Task
    data: str  # the argument that names the folder
    checkpoint: str  # the argument that names the folder, or a random one of `CHECKPOINTS`
    seconds: Mapping[str, float]  # of a step, by variant
    evaluated: int = 0  # rows of the validation split that are answered when evaluation is timed
    padded_to: int | None = None  # by the scripts; by default to the longest of a batch
    tried: bool = False  # with --quick

    def steps(self, variant: str, seconds: float) -> int:
        """How many steps take about so long."""
        return min(MOST_STEPS, max(FEWEST_STEPS, round(seconds / self.seconds[variant])))

    def warm_steps(self, variant: str, timed: int) -> int:
        """As many as are timed, so that oneDNN has a kernel for each shape; the defaults do not use it."""
        return 1 if variant == "defaults" else timed


def pace(tunekit: float, defaults: float, tuned: float, onednn: float) -> dict[str, float]:
    """Seconds of a step by variant."""
    return dict(zip(VARIANTS, (tunekit, defaults, tuned, onednn), strict=True))


SENTIMENT = replace(quality.TASKS["sentiment"], max_length=SENTENCE)
WRITTEN = replace(
    quality.TASKS["summarization-gpt"],
    max_length=448,
    options=f"task.max_document={{}} task.max_summary={SUMMARY} task.lead=1",
)
REWRITTEN = replace(
    WRITTEN,
    recipe="summarization",
    head="AutoModelForSeq2SeqLM",
    learning_rate=3e-4,
    max_length=512,
    options=f"task.max_document={{}} task.max_summary={SUMMARY} task.beams=1 task.no_repeat=0",
)
PICTURES = quality.Task(
    "image-classification",
    "AutoModelForImageClassification",
    "default_data_collator",
    ("image",),
    ("label",),
    epochs=1,
    learning_rate=5e-5,
    metric="accuracy",
    answer="label",
    options="task.crop=0.5",
)
WORKLOADS = {
    "sentiment": Workload(
        SENTIMENT, "sentiment", "encoder", pace(0.25, 2.9, 0.28, 0.55), 512, SENTENCE, tried=True
    ),
    "ner": Workload(
        replace(quality.TASKS["ner"], max_length=SENTENCE), "ner", "encoder", pace(0.25, 1.1, 0.31, 0.6)
    ),
    "qa": Workload(
        replace(quality.TASKS["qa"], batch_size=8),
        "qa",
        "encoder",
        pace(0.5, 4.8, 0.83, 1.4),
        116,
        384,
        tried=True,
    ),
    "t5": Workload(REWRITTEN, "summaries", "t5", pace(1.5, 6.2, 2.2, 3.5), 32),
    "decoder": Workload(WRITTEN, "summaries", "decoder", pace(4.2, 20.0, 8.0, 11.0), 16),
    "vit": Workload(PICTURES, "pictures", "vit", pace(0.75, 2.2, 1.1, 1.4), tried=True),
    "bert-base": Workload(SENTIMENT, "sentiment", "bert-base", pace(3.0, 12.0, 4.0, 6.0)),
}


def prepare(name: str, folders: Mapping[str, str], target: Path) -> None:
    """Write a workload's checkpoint, where it is a random one, and the rows that both tools get."""
    workload = WORKLOADS[name]
    rows, source = target / name, Path(folders[workload.data])
    make = CHECKPOINTS.get(workload.checkpoint)
    if make:
        make(target / f"{name}-model", folders)
    if workload.data == "pictures":
        return
    rows.mkdir(parents=True)
    if name == "bert-base":
        write_long_texts(source, rows, folders["encoder"])
    else:
        task = quality.TASKS.get(workload.task.recipe, WRITTEN)
        write_rows(task, source, rows, None, workload.evaluated or FEWEST_ROWS)


def prepare_whole(folders: Mapping[str, str], target: Path, limit: int | None) -> None:
    """Write the rows of whole runs."""
    rows = target / (WHOLE_LIMITED if limit else WHOLE)
    rows.mkdir(parents=True)
    write_rows(SENTIMENT, Path(folders["sentiment"]), rows, limit, None)


def write_rows(
    task: quality.Task, source: Path, target: Path, train: int | None, validation: int | None
) -> None:
    """Write the rows of a task in a random order, since files are often sorted, and so many of them."""
    import numpy as np

    for split, limit in (("train", train), ("validation", validation)):
        rows = quality.read_rows(source / f"{split}.jsonl")
        drawn = np.random.default_rng(0).permutation(len(rows))[:limit]
        (target / f"{split}.jsonl").write_text("".join(json.dumps(rows[row]) + "\n" for row in drawn))
    quality.prepare(replace(task, rows=(None, None)), target, target, None)


def places(name: str, folders: Mapping[str, str], target: Path) -> tuple[str, Path]:
    """The checkpoint and the rows of a workload."""
    workload = WORKLOADS[name]
    made = workload.checkpoint in CHECKPOINTS
    model = str(target / f"{name}-model") if made else folders[workload.checkpoint]
    return model, Path(folders["pictures"]) if workload.data == "pictures" else target / name


def write_long_texts(source: Path, target: Path, tokenizer: str) -> None:
    """Join sentences until each text has as many tokens as a model reads of it."""
    from transformers import AutoTokenizer

    sizes = AutoTokenizer.from_pretrained(tokenizer)
    texts: list[quality.Row] = []
    joined: list[str] = []
    for row in quality.read_rows(source / "train.jsonl"):
        joined.append(row["text"])
        if len(sizes(" ".join(joined))["input_ids"]) >= SENTENCE:
            texts.append({"text": " ".join(joined), "label": row["label"]})
            joined = []
    lines = "".join(json.dumps(text) + "\n" for text in texts[:LONG_TEXTS])
    (target / "train.jsonl").write_text(lines)


def make_t5(target: Path, folders: Mapping[str, str]) -> None:
    """T5 small with random weights, and its real tokenizer."""
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration, set_seed

    set_seed(0)
    size = {"vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8}
    config = T5Config(**size, num_decoder_layers=6, decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(target)
    AutoTokenizer.from_pretrained(folders["t5-tokenizer"]).save_pretrained(target)


def make_vit(target: Path, folders: Mapping[str, str]) -> None:
    """ViT tiny with random weights."""
    vit.write(target, side=SIDE, patch=PATCH, width=192, layers=12, heads=3)


def make_bert_base(target: Path, folders: Mapping[str, str]) -> None:
    """BERT base with random weights, and the tokenizer of the small encoder."""
    from transformers import AutoTokenizer, BertConfig, BertModel, set_seed

    set_seed(0)
    BertModel(BertConfig()).save_pretrained(target)
    AutoTokenizer.from_pretrained(folders["encoder"]).save_pretrained(target)


CHECKPOINTS = {"t5": make_t5, "vit": make_vit, "bert-base": make_bert_base}


def lengths_of(inputs: Mapping[str, Any]) -> tuple[int, int]:
    """The tokens of a window without padding: those read, and those learned where every one has a label."""
    import numpy as np

    if "pixel_values" in inputs:
        height, width = np.shape(inputs["pixel_values"])[-2:]
        return 1 + height * width // PATCH**2, 0
    labels = np.asarray(inputs.get("labels", 0))
    return len(inputs["input_ids"]), int((labels >= 0).sum()) if labels.ndim else 0


def written(tokens: Sequence[int], end: int) -> int:
    """How many tokens of an answer were written, its end included."""
    ids = [token for token in tokens if token >= 0]
    return ids.index(end) + 1 if end in ids else len(ids)
