"""What a task is: the one thing that tells a kind of fine-tuning from another.

An example travels out and back:

    example --encode--> windows --collate--> inputs --predict--> outputs --decode--> answer
       |                   ^                                                            |
       +------target-------+ (training only)                                            v
       +------reference-------------------------------------------------------------> score

The engine drives this and knows nothing else about a task.
"""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tunekit import metrics
from tunekit.errors import InputError
from tunekit.tasks import _plain
from tunekit.tasks._coupled import Coupled
from tunekit.tasks._damage import Damage as Damage
from tunekit.tasks._encodings import encodings as encodings
from tunekit.tasks._guess import Guess, Seen, by_roles
from tunekit.tasks._roles import Kind as Kind
from tunekit.tasks._roles import Role as Role
from tunekit.tasks._shown import Shown
from tunekit.tasks._taken import Taken
from tunekit.tasks._window import Corrected as Corrected
from tunekit.tasks._window import Window as Window

Example = Mapping[str, Any]  # one row of the data, keyed by role
Inputs = Mapping[str, Any]  # a batch for the model; tensors of shape (windows, ...)
Outputs = dict[str, Any]  # what `predict` returns; tensors with one row per window
Model = Any  # a transformers model with this task's head
Answer = Any  # what a task says of an example; JSON-ready, and in words, never in indices

IGNORE = -100  # a label that every transformers loss skips
FOREIGN = "foreign"  # the context in which options of a stranger are read: they name no file


class Task(Shown, Taken, Coupled, ABC):
    """One kind of fine-tuning. A subclass declares its heads and columns and fills in a few methods."""

    heads: ClassVar[
        tuple[str, ...]
    ]  # by the names of their Auto classes; the first that a family has is used
    auto_processor: ClassVar[str] = "AutoTokenizer"
    aligned: ClassVar[bool] = True  # needs to know where in a text its tokens are, as fast tokenizers do
    processor_options: ClassVar[dict[str, Any]] = {}
    inputs: ClassVar[dict[str, Role]]  # what is given
    targets: ClassVar[dict[str, Role]] = {}  # what is asked
    labels_from: ClassVar[str | None] = None  # the role whose values are the label set
    pipeline_tag: ClassVar[str | None] = None  # what the Hub calls this kind of task, where it has a name
    trainable: ClassVar[bool] = True  # whether a recipe may name it
    untrained: ClassVar[str] = ""  # what to do with one that is nothing to train, as a clause
    unread: ClassVar[tuple[str, ...]] = ()  # how the names of weights begin that nothing is computed with

    class Options(BaseModel):
        """The settings that a recipe may give under `task:`."""

        model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

        lengths: ClassVar[tuple[str, ...]] = ("max_length",)  # what is read, then what is taught
        adopts: ClassVar[tuple[str, ...]] = ()  # what a checkpoint says where the user does not

        def adopted(self, said: Mapping[str, Any]) -> Self:
            """These options, and where the user says nothing what the checkpoint says."""
            own = {name for name in self.model_fields_set if getattr(self, name) != "auto"}
            open_to = [name for name in self.adopts if name not in own]
            values = {**self.model_dump(), **{name: said[name] for name in open_to if name in said}}
            return cast(Self, self.model_construct(_fields_set=set(self.model_fields_set), **values))

        def fitted(self, limit: int | None, head: str) -> Self:
            """These options for a model that reads at most `limit` tokens with a head of an Auto class.

            Raises:
                InputError: the user asked for more than the model reads.
            """
            length = getattr(self, "max_length", None)
            if limit is None or length is None or length <= limit:
                return self
            if "max_length" in self.model_fields_set:
                raise InputError(
                    f"task.max_length is {length}, but the model reads at most {limit} tokens; lower it"
                )
            return self.model_copy(update={"max_length": limit})

        def limits(self) -> Iterator[str]:
            """What a model that is trained with these options cannot do, in sentences for its card."""
            length = getattr(self, "max_length", None)
            if length is not None:
                yield f"It reads at most {length:,} tokens of an example; what comes after them is cut off."

    options: Any

    def __init__(
        self, options: Any, processor: Any, labels: Sequence[str] = (), head: str | None = None
    ) -> None:
        self.options, self.processor, self.labels = options, processor, list(labels)
        self.head = head or self.heads[0]  # the Auto class in use
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.given = [role for role, spec in self.inputs_for(options).items() if spec.needed]  # data has them
        self.origin: dict[str, Any] = {}  # the data's columns, separator and encoding; stored with the model
        self.learned: dict[str, Any] = {}  # what `learn` gave; stored with the model
        self.decision: dict[str, Any] = {}  # what `tune` gave for the best model; stored with it

    @classmethod
    @abstractmethod
    def judged_by(cls, options: Any) -> metrics.Measure:
        """The metrics that judge this task: one of `tunekit.metrics`, or one of the task's own."""

    @classmethod
    def inputs_for(cls, options: Any) -> dict[str, Role]:
        """Those of `inputs` that count with these options, perhaps called otherwise."""
        return cls.inputs

    @classmethod
    def targets_for(cls, options: Any) -> dict[str, Role]:
        """The targets of a task with these options."""
        return cls.targets

    @classmethod
    def label_role(cls, options: Any) -> str | None:
        """The role whose values are the label set of a task with these options."""
        return cls.labels_from

    @classmethod
    def all_labels(cls, options: Any, labels: Sequence[str], roles: Container[str]) -> list[str]:
        """The label set, given the labels of the training rows and the roles that the data has."""
        return list(labels)

    @classmethod
    def lacks(cls, processor: Any, head: str) -> Iterator[str]:
        """Say what a processor lacks for this task with a head. By default nothing."""
        yield from ()

    @classmethod
    def check(cls, options: Any, example: dict[str, Any]) -> Iterator[str]:
        """Say what is wrong with a row that has its targets. By default nothing.

        A row may be put in order here; a `Corrected` text then says so.
        """
        yield from ()

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """How likely data are meant for this task, and which columns are what; None where they cannot be.

        By default data are where each role has a column that is called so, or the only one of its kind.
        """
        return by_roles({**cls.inputs, **cls.targets_for(cls.Options())}, seen)

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        """What the training rows tell before training, as JSON: kept in `learned`. By default nothing."""
        return {}

    @abstractmethod
    def encode(self, example: Example) -> Iterable[Window]:
        """Cut the given part of an example into windows. Targets are absent."""

    @abstractmethod
    def target(self, example: Example, window: Window) -> dict[str, Any]:
        """The model inputs that teach it the answer: `labels`, or whatever the head is trained on."""

    def taught(self, example: Example, given: Example) -> list[Window]:
        """An example's windows with their targets; by default those of what is `given` of it."""
        windows = list(self.encode(given))
        for window in windows:
            window.inputs |= self.target(example, window)
        return windows

    def counted(self, lengths: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each thing that `train.batch_size` counts begins among the windows of training, and the end.

        Given are the tokens of all windows, and where the windows of each example begin: it counts examples.
        """
        return first

    def damage(self, example: Example, windows: Sequence[Window]) -> Iterable[Damage]:
        """What limits take from an example, beyond text that is cut, given windows with their targets."""
        return ()

    @abstractmethod
    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        """Run the model on a batch, and keep what `decode` needs."""

    @abstractmethod
    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        """Turn the outputs for all windows of one example into its answer."""

    @abstractmethod
    def reference(self, example: Example) -> Any:
        """The right answer, from the row itself and not from its encoding: truncation costs points."""

    def unit(self, example: Example) -> str | None:
        """What makes rows depend on each other, such as the text that they ask about: equal for such rows.

        They are drawn together where intervals are made. By default every row stands for itself.
        """
        return None

    def comparable(self, answer: Answer) -> Any:
        """The part of an answer that is held against the reference."""
        return answer

    def asked(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows that an evaluation lets the model answer, the first ones; by default all of them."""
        return rows

    @property
    def judge(self) -> "Task | None":
        """A task that is given the targets too, and whose answers are further statistics of each example.

        It says how likely the right answer is to the model. By default nothing does.
        """
        return None

    def tune(self, answers: Sequence[Answer], references: Sequence[Any]) -> dict[str, Any]:
        """The settings, such as thresholds, with which `decide` scores best on validation rows, as JSON."""
        return {}

    def decide(self, answer: Answer) -> Answer:
        """The final answer, by the settings in `decision`. By default the decoded one."""
        return answer

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        """What one could answer without a model, by name: a comparable for each row. By default nothing.

        The names do not depend on the rows, of which there may be none.
        """
        return {}

    @property
    def measure(self) -> metrics.Measure:
        """The metrics that judge this task with its options."""
        return self.judged_by(self.options)

    def statistics(self, answers: Sequence[Answer], references: Sequence[Any]) -> list[metrics.Statistics]:
        """Every example's statistics, which add up over examples."""
        return self.measure.statistics([self.comparable(answer) for answer in answers], references)

    def summarize(self, totals: metrics.Totals) -> metrics.Metrics:
        """The metrics of any set, or resamples, of examples from the sums of their statistics."""
        return self.measure.summarize(totals)

    def loss(self, model: Model, inputs: Inputs) -> Any:
        """The mean loss over the `count` targets of a batch, shape ().

        Of coupled rows only a whole step has one; what stands for it here holds two ways to compute together.
        """
        return self.represent(model, inputs).abs().mean() if self.couples else model(**inputs).loss

    def augment(self, inputs: Inputs, keys: Sequence[tuple[int, int, int]]) -> Inputs:
        """A training batch with random changes that depend on each window's (seed, epoch, number) alone."""
        return inputs

    def count(self, inputs: Inputs) -> int:
        """How many targets the loss of one window's inputs is a mean over; weighs micro-batches fairly."""
        return int((np.asarray(inputs["labels"]) != IGNORE).sum())

    def work(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens it takes to answer windows of some lengths, for batches of even size."""
        return lengths

    @property
    def writes(self) -> bool:
        """Whether an answer is written token by token."""
        return False

    @property
    def pads_left(self) -> bool:
        """Whether windows are padded on the left when asked, as for text that the model continues."""
        return False

    def model_options(self) -> dict[str, Any]:
        """What the model's configuration must know: by default, the label names."""
        return {"id2label": dict(enumerate(self.labels)), "label2id": dict(self.index)} if self.labels else {}

    def prepare_model(self, model: Model) -> Model:
        """Tell a loaded model what its configuration does not say. By default nothing."""
        return model

    def companions(self, model: Model) -> dict[str, Any]:
        """Further JSON files of a model folder, by path, for libraries that ask for them. By default none."""
        return {}

    def plain_code(self, model: str) -> str:
        """Code that asks a model, by Hub id or folder, with transformers alone; by default it only loads."""
        return _plain.code(_plain.LOAD, model, head=self.head, processor=self.auto_processor)
