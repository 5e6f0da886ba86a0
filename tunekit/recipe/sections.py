"""The typed sections of a recipe. Every default is here, and nowhere else."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SerializeAsAny,
    model_validator,
)

from tunekit.errors import InputError, nearest
from tunekit.network import at_revision
from tunekit.recipe.adapter import AdapterSection
from tunekit.recipe.base import Count, Share
from tunekit.recipe.base import Section as Section
from tunekit.recipe.hub import HubSection
from tunekit.recipe.secrets import refusal, secrets_in
from tunekit.recipe.unfreeze import Unfreeze

SPLITS = ("train", "validation", "test")
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "shift_jis", "koi8-r")  # common ones of files

Split = Literal["train", "validation", "test"]
Tracker = Literal["tensorboard", "trackio", "wandb", "mlflow"]
SHARED_OPTIMIZERS = ("adamw", "sgd")  # those that work on any part of a matrix
NO_PART_OF_A_RUN = ("hub", "tracking")  # sections that change nothing of what a run computes


def word_or_count(word: str, unit: str) -> BeforeValidator:
    """Accept one word, or a whole number of at least 1."""

    def validate(value: Any) -> Any:
        if value == word:
            return value
        if isinstance(value, bool) or not str(value).isdecimal() or int(value) < 1:
            raise ValueError(f"give {word} or a whole number of {unit}")
        return int(value)

    return BeforeValidator(validate)


def auto_or_bool(value: Any) -> Any:
    """Accept auto, true or false, as YAML or a command line writes them."""
    word = str(value).lower()
    if word not in ("auto", "true", "false"):
        raise ValueError("give auto, true or false")
    return word if word == "auto" else word == "true"


def known_encoding(name: str) -> str:
    """Refuse an encoding that Python does not have, or that is for something else than text."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        near = nearest(name, ENCODINGS)
        raise ValueError(
            f"no encoding is called that{near}; give one such as {', '.join(ENCODINGS)}"
        ) from None
    return name


def one_character(separator: str) -> str:
    r"""Refuse what cannot part columns; `\t`, as a shell leaves it, is a tab."""
    sign = "\t" if separator == "\\t" else separator
    if len(sign) != 1 or sign in '\r\n"':
        raise ValueError("give one character, such as ; or \\t for a tab")
    return sign


def naming_any(splits: dict[str, str | None]) -> dict[str, str | None]:
    """Refuse splits of which none has a name."""
    if not any(splits.values()):
        raise ValueError("no split is named; name one, such as {train: train}, or remove the key")
    return splits


def with_revision(values: Any, key: str) -> Any:
    """The values of a section, with `user/name@revision` under a key taken apart."""
    given = values.get(key) if isinstance(values, dict) else None
    name, revision = at_revision(given) if isinstance(given, str) else (given, None)
    if revision is None:
        return values
    other = values.get("revision")
    if other is not None and str(other) != revision:
        raise ValueError(f"{key} is {given}, and revision is {other}; remove one of the revisions")
    return {**values, key: name, "revision": revision}


Every = Annotated[Literal["epoch"] | int, word_or_count("epoch", "steps")]
MicroBatch = Annotated[Literal["auto"] | int, word_or_count("auto", "windows")]


class ModelSection(Section):
    """Which pretrained checkpoint to start from."""

    name: str = Field(min_length=1, description="Hub id (also with @revision), or the folder of a checkpoint")
    revision: str | None = Field(None, description="branch, tag or commit on the Hub")
    attention: Literal["eager", "sdpa", "flash_attention_2"] | None = Field(
        None, description="attention implementation; by default transformers' choice"
    )
    dropout: Share | None = Field(
        None, description="all dropout rates of the model; by default the checkpoint's"
    )

    @model_validator(mode="before")
    @classmethod
    def takes_revision_apart(cls, values: Any) -> Any:
        return with_revision(values, "name")


class DataSection(Section):
    """Where the rows are, and which column is what."""

    path: str = Field(min_length=1, description="Hub id (also with @revision), file or folder")
    config: str | None = Field(None, description="configuration of a Hub data set")
    revision: str | None = Field(None, description="branch, tag or commit on the Hub")
    encoding: Annotated[str, AfterValidator(known_encoding)] = Field(
        "utf-8", description="encoding of text files"
    )
    separator: Annotated[str, AfterValidator(one_character)] | None = Field(
        None, description="what separates csv columns; by default , or for tsv a tab"
    )
    text_rows: Literal["line", "paragraph", "file"] = Field(
        "line", description="what of a .txt file is a row; paragraphs are parted by blank lines"
    )
    validation_share: Share = Field(
        0.1, description="cut from train where there is no validation split; 0 for none"
    )
    splits: Annotated[dict[Split, str | None], AfterValidator(naming_any)] | None = Field(
        None, description="split names or files, by split"
    )
    columns: dict[str, str] | None = Field(
        None, description="columns, by role; by default inferred and printed"
    )
    limit: dict[Split, Count] | None = Field(None, description="rows to draw from a split, seeded")
    bad_rows: Literal["error", "skip"] = Field(
        "error", description="what to do with rows that cannot be used"
    )
    workers: int = Field(0, ge=0, description="processes that prepare batches; never changes the result")
    seed: int | None = Field(
        None, ge=0, lt=2**32, description="seed of the cut and of what limit draws; by default train.seed"
    )

    @model_validator(mode="before")
    @classmethod
    def takes_revision_apart(cls, values: Any) -> Any:
        return with_revision(values, "path")


class TrainSection(Section):
    """How to optimize, how often to look, and what to keep."""

    epochs: float | None = Field(
        None, gt=0, description="passes over the training rows; 3 unless steps are given"
    )
    steps: Count | None = Field(None, description="optimizer steps, instead of epochs")
    batch_size: Count = Field(32, description="examples per optimizer step, over all devices")
    learning_rate: float = Field(
        5e-5, gt=0, description="highest learning rate; an adapter has a higher default of its own"
    )
    schedule: Literal["linear", "cosine", "constant", "inverse-sqrt", "wsd"] = Field(
        "linear", description="how the learning rate falls after the warm-up"
    )
    warmup: float = Field(0.06, ge=0, description="below 1 a share of all steps, else steps")
    optimizer: Literal["adamw", "adamw-8bit", "adafactor", "sgd"] = Field(
        "adamw", description="update rule; adamw-8bit needs a GPU and the extra quantization"
    )
    weight_decay: float = Field(0.01, ge=0, description="not applied to biases and norms")
    max_grad_norm: float | None = Field(1.0, gt=0, description="gradients are scaled down to this norm")
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto", description="arithmetic of training; scores are always computed in fp32"
    )
    micro_batch: MicroBatch = Field("auto", description="windows per forward; never changes the result")
    unfreeze: Unfreeze | None = Field(
        None, description="train only so many last layers and the head, the head, or modules by name"
    )
    gradient_checkpointing: bool = Field(
        False, description="compute layers again in the backward pass: less memory, more time, the same step"
    )
    fast: bool = Field(True, description="faster ways to compute the same step, where the model has them")
    compile: Annotated[Literal["auto"] | bool, BeforeValidator(auto_or_bool)] = Field(
        "auto", description="compile the model's layers; auto: on GPUs, in runs that are long enough"
    )
    shard: Literal["auto", "off", "full"] = Field(
        "auto", description="share the model out over processes; auto: when it does not fit one GPU"
    )
    early_stopping: Count | None = Field(3, description="evaluations without improvement before stopping")
    evaluate_every: Every = Field("epoch", description="epoch, or a number of steps")
    evaluate_before: bool = Field(
        False, description="score the checkpoint as it is, too: baselines whose names begin with before"
    )
    save_every: Every = Field("epoch", description="epoch, or a number of steps")
    keep: int = Field(1, ge=1, description="newest checkpoints kept beside the best")
    best: str | None = Field(None, description="metric that picks the model; by default the task's first")
    log_every: Count = Field(10, description="steps per row of the log")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of everything that is random")
    seeds: Count = Field(1, description="runs with seeds from train.seed on, each in a folder of its own")

    @model_validator(mode="after")
    def has_one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps are both given; remove one")
        if self.epochs is None and self.steps is None:
            object.__setattr__(self, "epochs", 3.0)
        return self

    @model_validator(mode="after")
    def can_be_shared_out(self) -> Self:
        if self.shard == "full" and self.optimizer not in SHARED_OPTIMIZERS:
            raise ValueError(
                f"{self.optimizer} needs whole matrices, which shard=full cuts; choose adamw or sgd"
            )
        if self.shard == "full" and self.precision == "fp16":
            raise ValueError("precision fp16 does not go together with shard=full; choose bf16 or fp32")
        return self


class TaskSection(Section):
    """The task's name and its own options, which the recipe writes side by side."""

    name: str
    options: SerializeAsAny[BaseModel]


class Recipe(Section):
    """A whole recipe, checked. `tunekit.recipe.load` makes one from a file."""

    task: TaskSection
    model: ModelSection
    data: DataSection
    train: TrainSection = TrainSection()
    adapter: AdapterSection | None = Field(
        None, description="train an adapter (peft) in place of all weights"
    )
    metrics: list[str] = Field([], description="further metrics by name, or the path of an evaluate module")
    tracking: list[Tracker] = Field([], description="trackers that show the run while it trains")
    hub: HubSection = HubSection()

    @model_validator(mode="after")
    def trains_an_adapter_at_its_rate(self) -> Self:
        if self.adapter and "learning_rate" not in self.train.model_fields_set:
            train = self.train.model_copy(update={"learning_rate": self.adapter.rate})
            object.__setattr__(self, "train", train)
        return self

    @model_validator(mode="after")
    def holds_no_secret(self) -> Self:
        secrets = [refusal("the recipe", place) for place in secrets_in(self.resolved())]
        if secrets:
            raise InputError(secrets)
        return self

    def resolved(self) -> dict[str, Any]:
        """Every setting with its value, as plain data in the form that a recipe file has."""
        plain = self.model_dump(mode="json")
        plain["task"] = {"name": self.task.name, **plain["task"]["options"]}
        return plain

    def to_yaml(self) -> str:
        """The resolved recipe as a file that can be run again."""
        return yaml.safe_dump(self.resolved(), sort_keys=False, allow_unicode=True)

    @property
    def can_share(self) -> bool:
        """Whether a model that is trained so can be shared out over processes."""
        fits = self.train.optimizer in SHARED_OPTIMIZERS and self.train.precision != "fp16"
        return fits and (self.adapter is None or self.adapter.shares)

    @property
    def data_seed(self) -> int:
        """The seed of the rows: of the validation cut, and of what a limit draws."""
        return self.train.seed if self.data.seed is None else self.data.seed

    @property
    def fingerprint(self) -> str:
        """64 hex digits that change with any setting but where the run is shown and pushed to."""
        settings = {key: value for key, value in self.resolved().items() if key not in NO_PART_OF_A_RUN}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
