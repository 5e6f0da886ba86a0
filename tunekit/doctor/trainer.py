"""transformers' Trainer on one step of a recipe, for a comparison: what it would hand to the optimizer."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunekit.data.batches import collate, pad_token_of
from tunekit.engine import Fitting
from tunekit.errors import first_line
from tunekit.models.load import load_model
from tunekit.prepare import Prepared
from tunekit.prepare.trained import choose_trained
from tunekit.tasks._forms import several_hot
from tunekit.tasks.base import Inputs, Model, Task, Window


class Seen(Exception):
    """What a model was given, before it computes anything."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given


class Trainer:
    """A plain model with the weights of a run's, trained for one step that moves nothing."""

    def __init__(self, prepared: Prepared, fitting: Fitting, folder: Path) -> None:
        optimization = fitting.optimization
        self.task, self.folder = prepared.task, folder
        self.device, self.dtype = optimization.accelerator.device, optimization.model.dtype
        self.windows = len(fitting.steps.encoded.windows)
        self.obstacle = ""
        plain = load_model(
            prepared.checkpoint,
            prepared.task,
            lambda _: None,
            attention=prepared.recipe.model.attention,
            dropout=None,
        )
        self.model, _ = choose_trained(prepared.recipe, plain, prepared.task, prepared.checkpoint)
        self.model.load_state_dict(optimization.model.state_dict())
        self.model.to(self.device, self.dtype).eval()
        self.model.train = lambda mode=True: self.model  # nothing random, whoever asks for it
        self.whole = self.given(fitting.steps.encoded.windows)

    def gradients(self, parts: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """The gradients in each number of pieces, as they reach the optimizer; none where it fails."""
        for count in parts:
            try:
                yield count, self.step(count)
            except Exception as error:  # whatever a task of its own leads to in code that does not know it
                self.obstacle = f"{type(error).__name__}: {first_line(error)}"
                return

    def step(self, parts: int) -> dict[str, Any]:
        """The gradients of one step of so many pieces."""
        import transformers

        found: dict[str, Any] = {}

        class Catch(transformers.TrainerCallback):  # type: ignore[misc]
            """Takes the gradients before they are used."""

            def on_pre_optimizer_step(self, *given: Any, model: Any, **further: Any) -> None:
                named = model.named_parameters()
                found.update({name: p.grad.clone() for name, p in named if p.grad is not None})

        self.model.zero_grad(set_to_none=True)
        trainer = transformers.Trainer(
            model=self.model,
            args=self.arguments(parts),
            train_dataset=range(self.windows),
            data_collator=lambda numbers: {key: each[numbers] for key, each in self.whole.items()},
            callbacks=[Catch()],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        return found

    def arguments(self, parts: int) -> Any:
        """The Trainer's settings: rows in their order, no clipping, no movement, no files."""
        import transformers

        arguments = transformers.TrainingArguments(
            output_dir=str(self.folder),
            per_device_train_batch_size=-(-self.windows // parts),
            gradient_accumulation_steps=parts,
            max_steps=1,
            learning_rate=0.0,
            optim="sgd",
            max_grad_norm=0.0,
            train_sampling_strategy="sequential",
            use_cpu=self.device.type == "cpu",
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            logging_strategy="no",
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        arguments._n_gpu = min(1, arguments.n_gpu)  # several would each take a batch of that size
        return arguments

    def given(self, windows: Sequence[Window]) -> dict[str, Any]:
        """All windows, padded alike, as the inputs that the model itself takes and its own loss wants."""
        import torch

        inputs = collate(windows, pad_token_of(self.task.processor))
        given = given_to(self.task, self.model, {key: each.to(self.device) for key, each in inputs.items()})
        taken = inspect.signature(self.model.forward).parameters
        batch = {key: given.get(key, each).cpu() for key, each in inputs.items() if key in taken}
        if getattr(self.model.config, "problem_type", None) == "multi_label_classification":
            shape = (len(windows), self.model.config.num_labels)
            batch["labels"] = several_hot(batch["labels"], torch.empty(shape, dtype=self.dtype))
        return {key: each.to(self.dtype) if each.is_floating_point() else each for key, each in batch.items()}


def given_to(task: Task, model: Model, inputs: Inputs) -> Mapping[str, Any]:
    """What a task gives to its model for some inputs, such as pictures in the numbers that it reads."""

    def stop(_: Any, __: Any, given: dict[str, Any]) -> None:
        raise Seen(given)

    handle = model.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        task.loss(model, inputs)
    except Seen as seen:
        return seen.given
    finally:
        handle.remove()
    return {}
