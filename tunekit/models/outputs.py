"""What a model says to many windows: in batches of similar length, shared between processes, in fp32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from tunekit.data.batches import Index, collate, pack, pad_token_of
from tunekit.data.windows import Encoded
from tunekit.errors import EnvironmentFailure
from tunekit.models.sharding import is_sharded, put_back
from tunekit.models.together import on_first
from tunekit.tasks.base import Task

CPU_TOKENS, GPU_TOKENS = 1024, 65536  # padded tokens per batch
CPU_WRITTEN, GPU_WRITTEN = 8192, 262144  # the same, where an answer takes many small forwards

Outputs = dict[int, dict[str, Any]]  # by window, numpy arrays by name


def computed(
    task: Task,
    model: Any,
    encoded: Encoded,
    *,
    accelerator: Any = None,
    tick: Callable[[], None] = lambda: None,
) -> Outputs | None:
    """What the model says to every window; several processes share the work, and the first gets all.

    `tick` is called between batches, and may raise to stop.
    """
    import torch

    device = next(model.parameters()).device
    processes = accelerator.num_processes if accelerator else 1
    batches = pack(task.work(encoded.lengths), batch_tokens(device.type, writes=task.writes))
    mine = batches[accelerator.process_index :: processes] if accelerator else batches
    outputs: Outputs = {}
    training = model.training
    model.eval()
    own = nullcontext() if task.writes else plain_attention(model, device)
    with torch.inference_mode(), own, put_back(model):
        for batch in mine:
            tick()
            outputs |= run_batch(task, model, encoded, batch, device)
        if is_sharded(model) and len(mine) < -(-len(batches) // processes):
            run_batch(task, model, encoded, batches[-1][:1], device)  # as many as others make; not kept
    model.train(training)
    if processes == 1:
        return outputs
    parts = on_first(outputs)
    return None if parts is None else {window: row for part in parts for window, row in part.items()}


def batch_tokens(device: str, *, writes: bool) -> int:
    """Padded tokens of a batch."""
    if writes:
        return CPU_WRITTEN if device == "cpu" else GPU_WRITTEN
    return CPU_TOKENS if device == "cpu" else GPU_TOKENS


@contextmanager
def plain_attention(model: Any, device: Any) -> Iterator[None]:
    """On CPUs compute attention as plain products: in small batches that is faster than torch's fused one.

    What writes keeps the fused one: it repeats no keys for groups of heads, token after token.
    """
    before = getattr(model.config, "_attn_implementation", None)
    if device.type != "cpu" or before in (None, "eager"):
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def run_batch(task: Task, model: Any, encoded: Encoded, batch: Index, device: Any) -> Outputs:
    """The outputs of each window of a batch, as numpy arrays; a batch that does not fit is halved."""
    from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

    inputs = collate(encoded.windows.take(batch), pad_token_of(task.processor), left=task.pads_left)
    try:
        tensors = task.predict(model, {key: value.to(device) for key, value in inputs.items()})
        arrays = {key: value.cpu().numpy() for key, value in tensors.items()}
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        if is_sharded(model):
            raise EnvironmentFailure(
                "memory ran out in an evaluation, which a model that is shared out cannot make in smaller "
                "pieces; run on more devices, or choose a smaller model"
            ) from None
        if len(batch) == 1:
            raise
        arrays = None
    if arrays is None:  # here, where the failed forward is no longer held
        clear_device_cache(garbage_collection=True)
        halves = np.array_split(batch, 2)
        return {k: v for half in halves for k, v in run_batch(task, model, encoded, half, device).items()}
    return {int(window): {key: array[n] for key, array in arrays.items()} for n, window in enumerate(batch)}
