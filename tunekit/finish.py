"""After the last step: the best model on disk, proven to answer as in training, and its scores."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tunekit.data.load import Rows
from tunekit.engine import Fitting
from tunekit.evaluation import baselines
from tunekit.models.adapted import merged
from tunekit.models.adapters import merges, save_adapter
from tunekit.models.finetuned import load_weights
from tunekit.models.load import save_finetuned
from tunekit.models.sharding import is_sharded, whole_weights
from tunekit.models.together import from_first, wait_for_first
from tunekit.proof import Wanted, proven

ROWS = 16  # that the loaded model must answer the same


def finish(fitting: Fitting, name: str, splits: Mapping[str, Rows]) -> None:
    """Save the best model of a task called `name`, prove that it loads, and score the test split once."""
    task, run = fitting.optimization.task, fitting.run
    fitting.tick()  # a signal that came with the last step
    rows = (fitting.validation or splits["train"])[:ROWS]
    shared = is_sharded(fitting.optimization.model)
    if shared:  # then all must answer, and give their parts of the weights
        rows = from_first(rows)
    if run.writes or shared:
        export(fitting, name, rows)
    wait_for_first()
    if "test" in splits:
        rows = splits["test"]
        scores = fitting.score("test", rows)
        if run.writes:
            run.write_scores("test", scores, baselines(task, rows))
    best = fitting.state.best
    run.record(steps=fitting.state.step, best=asdict(best) if best else None)


def export(fitting: Fitting, name: str, rows: Rows) -> None:
    """Write the model's folder, and the adapter's where there is one.

    All processes of a model that is shared out must take part, of which the first writes.

    Raises:
        TunekitError: what was written answers differently.
    """
    run, task, model = fitting.run, fitting.optimization.task, fitting.optimization.model
    wanted = Wanted.of(task, model, rows, merges=fitting.adapter is not None)
    weights = whole_weights(model, wanted=run.writes)
    if not run.writes:
        return
    if fitting.adapter is not None:
        export_adapter(fitting, name, rows, wanted, weights)
        return
    with proven(run.model, rows, wanted) as folder:
        save_finetuned(folder, task, name, model, weights)


def export_adapter(fitting: Fitting, name: str, rows: Rows, wanted: Wanted, weights: Any) -> None:
    """Write the adapter's folder, and a model with it merged into its weights, where it can be.

    Beside quantized weights an adapter answers otherwise than beside whole ones, with which it is saved: the
    model that is scored is then the saved one.

    Raises:
        TunekitError: what was written answers differently.
    """
    run, optimization, adapter = fitting.run, fitting.optimization, fitting.adapter
    task = optimization.task
    recorded, place = run.facts["checkpoint"], adapter.active_peft_config.base_model_name_or_path
    base = {"name": place, "commit": recorded["commit"], "sha256": recorded["sha256"]}
    quantized = getattr(optimization.model, "is_quantized", False)
    with proven(run.adapter, rows, None if quantized else Wanted(wanted.answers)) as folder:
        save_adapter(folder, task, name, adapter, base, weights)
    if quantized:
        optimization.model = load_weights(run.adapter, task)
        wanted = Wanted.of(task, optimization.model, rows, merges=True)
    if merges(adapter):
        with proven(run.model, rows, wanted) as folder:
            save_finetuned(folder, task, name, merged(run.adapter, task))
