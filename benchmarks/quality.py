"""Does tunekit train as well as transformers' own Trainer? The same checkpoint, rows and settings in both.

    python benchmarks/quality.py sentiment --model FOLDER --data FOLDER --json FILE

Both tools fine-tune with several seeds on the CPU, each run in a process of its own. Compared is the metric
of the validation split after the last step (not of the best epoch), predicted in fp32: accuracy of sentiment,
F1 of named entities (seqeval's, over all entities and all words of the raw rows), F1 of answers
(torchmetrics' SQuAD, over all raw rows), and ROUGE-L of summaries (rouge-score's, against the nearest of
several). A difference within the spread of the seeds is noise.

A FOLDER of data holds train.jsonl and validation.jsonl. The data are public:

    sentiment movieReviewSnippets of vaderSentiment 3.3.2's source distribution on PyPI, cut into splits and
              labelled positive, negative or neutral: {"text": "...", "label": "positive"}
    ner       WNUT-2017, emerging and rare entities: {"tokens": ["..."], "ner_tags": ["B-person"]}
    qa        XQuAD in English, a part of SQuAD 1.1, cut into splits by article:
              {"question": "...", "context": "...", "answers": {"text": ["..."], "answer_start": [34]}}
    summarization-gpt
              SciTLDR, abstracts of papers: {"document": "...", "summary": "...", "summaries": ["..."]}

The model is a BERT-like checkpoint, for summaries a decoder.
"""

import argparse
import json
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import peer_qa
import peer_summarization

WEIGHT_DECAY, MAX_GRAD_NORM = 0.01, 1.0
NEVER = 1_000_000  # more steps than any run has: only the last one is evaluated and saved
OUTSIDE = "O"  # the tag of words that belong to no entity, and of those that were cut off
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "seqeval", "torchmetrics", "rouge-score")

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A task, and what both tools are told about it."""

    recipe: str  # tunekit's
    head: str  # transformers'
    collator: str  # transformers'
    given: tuple[str, ...]  # columns
    asked: tuple[str, ...]  # columns; the first is learned
    epochs: int
    learning_rate: float
    metric: str
    answer: str  # key of tunekit's predictions
    max_length: int = 256
    options: str = "task.max_length={}"  # tunekit's overrides, given the length
    batch_size: int = 32
    rows: tuple[int | None, int | None] = (None, None)  # of training and validation: the first so many

    @property
    def peer(self) -> Any:
        """What does the Trainer's part, where answers are no labels."""
        return {"qa": peer_qa, "summarization-gpt": peer_summarization}.get(self.recipe)

    @property
    def about_words(self) -> bool:
        """Whether every word gets an answer, or the row as a whole."""
        return self.recipe == "ner"


TEXTS = ("AutoModelForSequenceClassification", "DataCollatorWithPadding", ("text",), ("label",))
WORDS = ("AutoModelForTokenClassification", "DataCollatorForTokenClassification", ("tokens",), ("ner_tags",))
SPANS = ("AutoModelForQuestionAnswering", "DataCollatorWithPadding", ("question", "context"), ("answers",))
TEXT = ("AutoModelForCausalLM", "DataCollatorForSeq2Seq", ("document",), ("summary", "summaries"))
TASKS = {
    "sentiment": Task("sentiment", *TEXTS, epochs=2, learning_rate=5e-5, metric="accuracy", answer="label"),
    "ner": Task("ner", *WORDS, epochs=3, learning_rate=1e-4, metric="f1", answer="tags"),
    "qa": Task(
        "qa",
        *SPANS,
        epochs=3,
        learning_rate=1e-4,
        metric="f1",
        answer="answer",
        max_length=384,
    ),
    "summarization-gpt": Task(
        "summarization-gpt",
        *TEXT,
        epochs=2,
        learning_rate=5e-5,
        metric="rougeL",
        answer="summary",
        max_length=256,
        options=f"task.max_document={{}} task.max_summary={peer_summarization.SUMMARY} task.lead=1",
        batch_size=8,
        rows=(160, 40),
    ),
}


@dataclass(frozen=True)
class Job:
    """One fine-tuning by one tool."""

    task: Task
    model: str
    data: Path
    seed: int
    output: Path


def read_rows(path: Path) -> list[Row]:
    """The rows of a .jsonl file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def label_set(task: Task, rows: Sequence[Row]) -> list[str]:
    """All labels that occur, sorted, as tunekit orders them too; none where answers are no labels."""
    if task.peer:
        return []
    (column,) = task.asked
    values = (row[column] if task.about_words else [row[column]] for row in rows)
    return sorted({label for labels in values for label in labels})


def judge(task: Task, answers: Sequence[Any], rows: Sequence[Row]) -> float:
    """Accuracy of labels, F1 of the tags of all words, or what the peer says of others."""
    from seqeval.metrics import f1_score

    if task.peer:
        return float(task.peer.judge(answers, rows))
    references = [row[task.asked[0]] for row in rows]
    if task.about_words:
        return float(f1_score(references, answers))
    return statistics.fmean(a == r for a, r in zip(answers, references, strict=True))


def train_with_tunekit(job: Job) -> float:
    """Fine-tune by the shipped recipe; return the metric of the one evaluation, which must be right."""
    import tunekit

    run = tunekit.finetune(job.task.recipe, *overrides(job), output=job.output)
    reported = float(run.metrics()["validation"][job.task.metric]["value"])
    predictions = read_rows(run.path / "predictions" / "validation.jsonl")
    answers = [row["prediction"][job.task.answer] for row in predictions]
    judged = judge(job.task, answers, read_rows(job.data / "validation.jsonl"))
    if not math.isclose(reported, judged, abs_tol=1e-6):
        raise SystemExit(f"tunekit reports {job.task.metric} {reported}, but its predictions have {judged}")
    return reported


def overrides(job: Job) -> list[str]:
    """The settings as tunekit's overrides; its AdamW is fused, like the Trainer's below."""
    train = f"""
        epochs={job.task.epochs} batch_size={job.task.batch_size} learning_rate={job.task.learning_rate}
        schedule=linear warmup=0 optimizer=adamw weight_decay={WEIGHT_DECAY} max_grad_norm={MAX_GRAD_NORM}
        precision=bf16 evaluate_every={NEVER} save_every={NEVER} early_stopping=null seed={job.seed}
    """
    places = [f"model={job.model}", f"data={job.data}"]
    return (
        places
        + job.task.options.format(job.task.max_length).split()
        + [f"train.{setting}" for setting in train.split()]
    )


def train_with_trainer(job: Job) -> float:
    """Fine-tune with the Trainer; return the metric of the final weights."""
    import transformers

    transformers.logging.set_verbosity_error()
    rows = read_rows(job.data / "train.jsonl")
    labels = label_set(job.task, rows)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job.model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    transformers.set_seed(job.seed)  # the head's random weights
    auto = getattr(transformers, job.task.head)
    model = auto.from_pretrained(job.model, num_labels=len(labels) or 2, dtype="float32")  # 2: start and end
    trainer = transformers.Trainer(
        model=model,
        args=arguments(job),
        train_dataset=[each for row in rows for each in examples(job.task, tokenizer, row, labels)],
        data_collator=getattr(transformers, job.task.collator)(tokenizer),
    )
    trainer.train()
    final = auto.from_config(model.config)  # the Trainer leaves its own model wrapped in autocast
    final.load_state_dict(model.state_dict())
    return validate(job, final, tokenizer, labels)


def arguments(job: Job) -> Any:
    """The settings as the Trainer's arguments."""
    import transformers

    return transformers.TrainingArguments(
        output_dir=str(job.output),
        num_train_epochs=job.task.epochs,
        per_device_train_batch_size=job.task.batch_size,
        learning_rate=job.task.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0,
        optim="adamw_torch_fused",
        weight_decay=WEIGHT_DECAY,
        max_grad_norm=MAX_GRAD_NORM,
        bf16=True,
        use_cpu=True,
        seed=job.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def tokenize(task: Task, tokenizer: Any, row: Row, **options: Any) -> Any:
    """A row as the tokenizer's result."""
    cut = {"truncation": True, "max_length": task.max_length}
    return tokenizer(row[task.given[0]], is_split_into_words=task.about_words, **cut, **options)


def examples(task: Task, tokenizer: Any, row: Row, labels: Sequence[str]) -> list[Row]:
    """A row as the model's inputs; a word's label sits on its first sub-word, the rest are ignored."""
    if task.peer:
        return list(task.peer.features(tokenizer, row, task.max_length))
    encoded = tokenize(task, tokenizer, row)
    if not task.about_words:
        return [{**encoded, "labels": labels.index(row[task.asked[0]])}]
    begun = [None if word == before else word for before, word in pairwise([None, *encoded.word_ids()])]
    tags = row[task.asked[0]]
    return [{**encoded, "labels": [-100 if word is None else labels.index(tags[word]) for word in begun]}]


def validate(job: Job, model: Any, tokenizer: Any, labels: Sequence[str]) -> float:
    """The metric on the validation split: row by row, in fp32 and without padding."""
    import torch

    rows, answers = read_rows(job.data / "validation.jsonl"), []
    model.eval()
    with torch.inference_mode():
        for row in rows:
            if job.task.peer:
                answers.append(job.task.peer.answer(model, tokenizer, row, job.task.max_length))
                continue
            encoded = tokenize(job.task, tokenizer, row, return_tensors="pt")
            names = [labels[i] for i in model(**encoded).logits[0].argmax(-1).reshape(-1).tolist()]
            answers.append(tags_of(row, job.task, encoded, names) if job.task.about_words else names[0])
    return judge(job.task, answers, rows)


def tags_of(row: Row, task: Task, encoded: Any, names: Sequence[str]) -> list[str]:
    """A tag for every word of the raw row: that of its first sub-word, else outside."""
    first = dict(reversed(list(zip(encoded.word_ids(), names, strict=True))))
    return [first.get(word, OUTSIDE) for word in range(len(row[task.given[0]]))]


TOOLS: dict[str, Callable[[Job], float]] = {"tunekit": train_with_tunekit, "Trainer": train_with_trainer}


def difference(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How far two means are apart, and how far seeds alone move them; as many values on both sides."""
    variance = (statistics.variance(ours) + statistics.variance(theirs)) / 2
    return {
        "difference": statistics.fmean(ours) - statistics.fmean(theirs),
        "pooled_deviation": math.sqrt(variance),
        "two_standard_errors": 2 * math.sqrt(2 * variance / len(ours)),  # of the difference
    }


def prepare(task: Task, source: Path, target: Path, limit: int | None) -> None:
    """Write the rows that both tools get; with a limit, validation rows with labels not seen are left out."""
    train, validation = (read_rows(source / f"{split}.jsonl") for split in ("train", "validation"))
    train, validation = train[: limit or task.rows[0]], validation[: task.rows[1]]
    known = set(label_set(task, train))
    validation = [row for row in validation if known.issuperset(label_set(task, [row]))]
    for split, rows in (("train", train), ("validation", validation)):
        kept = [{key: row[key] for key in (*task.given, *task.asked)} for row in rows]
        (target / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))


def compare(task: Task, data: Path, model: str, seeds: int) -> dict[str, list[float]]:
    """The metric of every seed by tool, each in a new process; the tools take turns."""
    values: dict[str, list[float]] = {tool: [] for tool in TOOLS}
    for seed, (tool, train) in product(range(seeds), TOOLS.items()):
        start = time.monotonic()
        spawn = multiprocessing.get_context("spawn")
        with tempfile.TemporaryDirectory() as output, ProcessPoolExecutor(1, spawn) as pool:
            value = pool.submit(train, Job(task, model, data, seed, Path(output))).result()
        print(
            f"{task.recipe}, {tool}, seed {seed}: {value:.4f} in {time.monotonic() - start:.0f} s", flush=True
        )
        values[tool].append(value)
    return values


def show(name: str, values: dict[str, list[float]]) -> None:
    """Print a task's rows of the table, and whether seeds alone explain the difference."""
    for tool, each in values.items():
        seeds = "  ".join(f"{value:.4f}" for value in each)
        spread = f"{statistics.fmean(each):.4f}  {statistics.stdev(each):.4f}"
        print(f"{name:<10} {TASKS[name].metric:<9} {tool:<8} {spread}  {seeds}")
    apart, deviation, errors = difference(*values.values()).values()
    verdict = "within noise" if abs(apart) <= max(deviation, errors) else "MORE THAN NOISE"
    noise = f"pooled standard deviation {deviation:.4f}, 2 standard errors {errors:.4f}"
    print(f"{name:<10} tunekit - Trainer = {apart:+.4f}: {verdict} ({noise})")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument(
        "--model", required=True, metavar="FOLDER", help="the checkpoint that both begin with"
    )
    parser.add_argument("--data", required=True, type=Path, metavar="FOLDER", help="train and validation")
    parser.add_argument("--seeds", type=int, default=3, choices=range(2, 100), metavar="N", help="2 or more")
    parser.add_argument("--limit", type=int, metavar="N", help="train on the first N rows only, as a trial")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results there")
    return parser.parse_args()


def main() -> None:
    """Compare, print the table, and write the results."""
    options, start = parse(), time.monotonic()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # both tools on the CPU
    task = TASKS[options.task]
    with tempfile.TemporaryDirectory() as data:
        prepare(task, options.data, Path(data), options.limit)
        values = compare(task, Path(data), options.model, options.seeds)
    print(f"\ntask       metric    tool     mean    std     seeds 0 to {options.seeds - 1}")
    show(options.task, values)
    print(f"{(time.monotonic() - start) / 60:.0f} minutes")
    if options.json:
        versions = {package: metadata.version(package) for package in PACKAGES}
        document = {"results": values, "difference": difference(*values.values()), "versions": versions}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
