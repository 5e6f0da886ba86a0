"""The same run under Ray Train: its workers are the processes of `tunekit finetune`.

    python ray_train.py my-recipe.yaml runs/mine [KEY=VALUE ...]

`WORKERS=8 GPUS=1` in the environment asks for eight workers with a GPU each; without, two on the CPU. A
worker that dies lets all begin again from the last checkpoint, at most three times.
"""

import os
import sys

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")

import ray  # noqa: E402
from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: E402
from ray.train.torch import TorchTrainer  # noqa: E402


def train(settings: dict[str, object]) -> None:
    """What each worker does: Ray has set RANK and the like, and made the process group."""
    import tunekit

    tunekit.finetune(settings["recipe"], *settings["overrides"], output=settings["output"])


def main() -> None:
    """Start Ray on this machine, unless RAY_ADDRESS names a cluster, train, and end what was started."""
    recipe, output, *overrides = sys.argv[1:]
    quiet = ray.LoggingConfig(log_level="ERROR")
    ray.init(include_dashboard=None if "RAY_ADDRESS" in os.environ else False, logging_config=quiet)
    places = {"recipe": os.path.abspath(recipe), "output": os.path.abspath(output), "overrides": overrides}
    workers, gpus = int(os.environ.get("WORKERS", "2")), float(os.environ.get("GPUS", "0"))
    trainer = TorchTrainer(
        train,
        train_loop_config=places,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus > 0),
        run_config=RunConfig(
            name="tunekit",
            storage_path=os.path.join(os.path.dirname(places["output"]), ".ray"),
            failure_config=FailureConfig(max_failures=3),
        ),
    )
    try:
        trainer.fit()
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
