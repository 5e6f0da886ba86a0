"""The Trainer's side of benchmarks/speed.py: as the scripts set it up, and tuned as well as it can be."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import peer_summarization
import quality
import speed_answers
import speed_pictures
import speed_work
from speed_job import Job, Measured

PREFIX = "summarize: "  # of T5, as in tunekit's recipe
SCRIPTS_BATCH, TUNED_BATCH, TUNED_BATCH_WRITTEN = 8, 64, 16  # rows of an evaluation batch
WRITING = ("AutoModelForSeq2SeqLM", "AutoModelForCausalLM")


class Peer:
    """A Trainer for a job, and what it is made of."""

    def __init__(self, job: Job) -> None:
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        if job.variant == "onednn":
            torch.backends.mkldnn.matmul.fp32_precision = "bf16"
        self.job, self.task = job, job.workload.task
        self.tuned = job.variant != "defaults"
        self.pictures = job.workload.data == "pictures"
        self.tokenizer: Any = None
        if not self.pictures:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(job.model)
            self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        self.labels = self.label_names()
        transformers.set_seed(job.seed)
        auto = getattr(transformers, self.task.head)
        heads = {} if self.task.head in WRITING else {"num_labels": len(self.labels) or 2}
        self.model = auto.from_pretrained(job.model, dtype="float32", ignore_mismatched_sizes=True, **heads)
        self.stamps: list[float] = []

    def label_names(self) -> list[str]:
        """All labels, sorted."""
        if self.pictures:
            return speed_pictures.labels(Path(self.job.data))
        if self.task.head in WRITING:
            return []
        return quality.label_set(self.task, self.rows("train"))

    def rows(self, split: str) -> list[quality.Row]:
        """The rows of a split."""
        return quality.read_rows(Path(self.job.data) / f"{split}.jsonl")

    def features(self, rows: Sequence[quality.Row]) -> list[quality.Row]:
        """The model's inputs for rows, without padding."""
        if self.task.recipe == "sentiment":  # as the script does it, many at a time
            texts = [row[self.task.given[0]] for row in rows]
            encoded = self.tokenizer(texts, truncation=True, max_length=self.task.max_length)
            wanted = [self.labels.index(row[self.task.asked[0]]) for row in rows]
            return [
                {key: encoded[key][number] for key in encoded} | {"labels": label}
                for number, label in enumerate(wanted)
            ]
        if self.task.head == "AutoModelForSeq2SeqLM":
            return [self.pair(row) for row in rows]
        if self.task.head == "AutoModelForCausalLM":
            cut = (self.task.max_length, speed_work.SUMMARY)
            return [f for row in rows for f in peer_summarization.features(self.tokenizer, row, *cut)]
        return [f for row in rows for f in quality.examples(self.task, self.tokenizer, row, self.labels)]

    def pair(self, row: quality.Row) -> quality.Row:
        """A document and its summary."""
        cut = {"truncation": True}
        read = self.tokenizer(PREFIX + row["document"], max_length=self.task.max_length, **cut)
        written = self.tokenizer(text_target=row["summary"], max_length=speed_work.SUMMARY, **cut)
        return {**read, "labels": written["input_ids"]}

    def collator(self) -> Any:
        """How the script makes a batch."""
        import transformers

        if self.pictures:
            return transformers.default_data_collator
        kind = getattr(transformers, self.task.collator)
        if self.job.workload.padded_to and not self.tuned:
            return kind(self.tokenizer, padding="max_length", max_length=self.job.workload.padded_to)
        if self.task.collator == "DataCollatorForSeq2Seq":
            return kind(self.tokenizer, model=self.model)
        return kind(self.tokenizer)

    def arguments(self, **further: Any) -> Any:
        """The settings as the Trainer's arguments; those of the whole run come with `further`."""
        import transformers

        writes = self.task.head == "AutoModelForSeq2SeqLM"
        kind = transformers.Seq2SeqTrainingArguments if writes else transformers.TrainingArguments
        tuned = {"logging_nan_inf_filter": False, "disable_tqdm": True, "bf16": self.job.variant == "tuned"}
        return kind(
            output_dir=self.job.output,
            per_device_train_batch_size=self.task.batch_size,
            per_device_eval_batch_size=self.evaluation_batch(),
            learning_rate=self.job.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0,
            optim="adamw_torch_fused",
            weight_decay=quality.WEIGHT_DECAY,
            max_grad_norm=quality.MAX_GRAD_NORM,
            use_cpu=True,
            seed=self.job.seed,
            report_to="none",
            remove_unused_columns=not self.pictures,
            **({"predict_with_generate": True} if writes else {}),
            **(tuned | {"save_strategy": "no"} if self.tuned else {}),
            **further,
        )

    def evaluation_batch(self) -> int:
        """Rows of an evaluation batch."""
        if not self.tuned:
            return SCRIPTS_BATCH
        return TUNED_BATCH_WRITTEN if self.task.head in WRITING else TUNED_BATCH

    def trainer(self, train: Any, arguments: Any, validation: Any = None) -> Any:
        """The Trainer, which stamps the end of every step."""
        import transformers

        stamps = self.stamps

        class Clock(transformers.TrainerCallback):  # type: ignore[misc]
            """Keeps when steps ended."""

            def on_step_end(self, *given: Any, **further: Any) -> None:
                stamps.append(time.time())

        writes = self.task.head == "AutoModelForSeq2SeqLM"
        kind = transformers.Seq2SeqTrainer if writes else transformers.Trainer
        return kind(
            model=self.model,
            args=arguments,
            train_dataset=train,
            data_collator=self.collator(),
            eval_dataset=validation,
            compute_metrics=speed_answers.accuracy if validation else None,
            callbacks=[Clock()],
            **({} if self.pictures else {"processing_class": self.tokenizer}),
        )

    def table(self, features: Sequence[quality.Row]) -> Any:
        """Features as scripts hold them, with their lengths."""
        import datasets

        return datasets.Dataset.from_list([{**f, "length": len(f["input_ids"])} for f in features])


def chosen(lengths: Sequence[int], batch: int, warm: int, steps: int, seed: int, grouped: bool) -> list[int]:
    """The rows of a short run, in order: those of a random epoch's start, or of one whole mega-batch.

    The Trainer sorts 50 batches together by length, the longest first: a short run would see only these. It
    gets batches evenly out of one such mega-batch, first to warm up and then to be timed.
    """
    order = np.random.default_rng([seed, 0]).permutation(len(lengths))
    if not grouped:
        return [int(row) for row in order[: (warm + steps) * batch]]
    whole = min(speed_work.MEGA_BATCH, len(order) // batch)
    pool = order[: whole * batch]
    batches = pool[np.argsort(-np.asarray(lengths)[pool], kind="stable")].reshape(whole, batch)
    evenly = [((np.arange(count) + 0.5) * whole / count).astype(int) for count in (warm, steps)]
    return [int(row) for row in batches[np.concatenate(evenly)].reshape(-1)]


def train(job: Job) -> Measured:
    """Time the steps after the first ones, from the end of one to the end of another."""
    peer, total = Peer(job), job.warm + job.steps
    batch = job.workload.task.batch_size
    pick = partial(chosen, batch=batch, warm=job.warm, steps=job.steps, seed=job.seed)
    if peer.pictures:
        pictures = speed_pictures.Pictures(Path(job.data) / "train", peer.labels, job.seed)
        rows = pick([1] * len(pictures), grouped=False)
        data, windows = pictures.some(rows), [speed_work.lengths_of(pictures[0])] * len(rows)
    else:
        features = peer.features(peer.rows("train"))
        rows = pick([len(f["input_ids"]) for f in features], grouped=peer.tuned)
        data = peer.table([features[row] for row in rows])
        windows = [speed_work.lengths_of(features[row]) for row in rows]
    arguments = peer.arguments(max_steps=total, train_sampling_strategy="sequential")
    peer.trainer(data, arguments).train()
    return job.training(peer.stamps, windows[job.warm * batch :])


def evaluate(job: Job) -> Measured:
    """Time an evaluation of encoded rows with its metrics, after a step that moves nothing and a warm-up."""
    peer = Peer(job)
    first = peer.table(peer.features(peer.rows("train")[: job.workload.task.batch_size]))
    trainer = peer.trainer(first, peer.arguments(max_steps=1, train_sampling_strategy="sequential"))
    trainer.train()
    rows = peer.rows("validation")
    speed_answers.prepared(peer, trainer, rows[: job.warm_rows])()
    answer = speed_answers.prepared(peer, trainer, rows)
    start = time.time()
    found = answer()
    return {"seconds": time.time() - start, "rows": len(rows), **found}


def whole(job: Job) -> Measured:
    """Fine-tune and evaluate after each epoch; the metrics are written, and by the scripts the model too."""
    peer = Peer(job)
    train, validation = (peer.table(peer.features(peer.rows(split))) for split in ("train", "validation"))
    arguments = peer.arguments(
        num_train_epochs=job.workload.task.epochs,
        eval_strategy="epoch",
        train_sampling_strategy="group_by_length" if peer.tuned else "random",
    )
    trainer = peer.trainer(train, arguments, validation)
    trainer.train()
    scores = [row["eval_accuracy"] for row in trainer.state.log_history if "eval_accuracy" in row]
    trainer.save_metrics("eval", {"eval_accuracy": scores[-1]})
    if not peer.tuned:
        trainer.save_model()
    return {"finished": time.time(), "rows": len(train), "metric": scores[-1]}
