"""What a machine has and can: versions, devices, precision, speed, caches, and who it is on the Hub."""

import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunekit.data.remembered import kept_in
from tunekit.doctor.account import account
from tunekit.environment import hush, processor
from tunekit.identity import versions
from tunekit.models.precision import Precision, choose, use_fastest_exact_fp32

SIDES = {"cpu": 1024}  # of the matrices whose products are timed
LARGE = 8192  # on other devices
SECONDS = 1.0  # for which products of one precision are made
GIGABYTE = 10**9


def examine() -> dict[str, Any]:
    """All of it, as plain data."""
    hush()
    device = device_name()
    use_fastest_exact_fp32()
    precision = choose("auto", device, None)
    return {
        "versions": versions(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "devices": devices(device),
        "precision": {"name": precision.name, "why": why(precision)},
        "tflops": {name: speed(Precision(name, device)) for name in dict.fromkeys(("fp32", precision.name))},
        "caches": list(caches()),
        "hub": account(),
    }


def device_name() -> str:
    """The kind of device that training would use."""
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found is not None else "cpu"


def devices(device: str) -> list[dict[str, Any]]:
    """Every device that can train, the processor last."""
    import psutil
    import torch

    found: list[dict[str, Any]] = []
    if device == "cuda":
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            found.append({"kind": "cuda", "name": about.name, "memory": about.total_memory})
    elif device != "cpu":
        found.append({"kind": device, "name": device, "memory": None})
    name = processor("model name") or platform.processor() or platform.machine()
    memory = psutil.virtual_memory()
    cpu = {"kind": "cpu", "name": name, "memory": memory.total, "free": memory.available}
    return [*found, {**cpu, "threads": torch.get_num_threads(), "does": does()}]


def does() -> str:
    """The widest arithmetic that the processor's products use."""
    import torch

    return str(torch.backends.cpu.get_cpu_capability())


def why(precision: Precision) -> str:
    """Why training would use a precision, where the recipe leaves that open."""
    import torch

    if precision.name == "fp32":
        return f"this {precision.device} has no fast bf16"
    if precision.device != "cpu":
        return "this GPU multiplies in bf16, and weights stay in fp32"
    amx = torch.cpu._is_amx_tile_supported()
    return f"this processor multiplies in bf16 ({'AMX' if amx else 'AVX512_BF16'}), and weights stay in fp32"


def speed(precision: Precision) -> float:
    """How fast products of square matrices are in a precision, in TFLOP/s: the best of a second."""
    import torch

    side = SIDES.get(precision.device, LARGE)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision.name]
    a, b = (torch.rand(side, side, device=precision.device).to(dtype) for _ in range(2))
    best, began = float("inf"), time.perf_counter()
    while best == float("inf") or time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        a @ b
        if precision.device != "cpu":
            torch.accelerator.synchronize()
        best = min(best, time.perf_counter() - start)
    return round(2 * side**3 / best / 1e12, 4)


def caches() -> Iterator[dict[str, Any]]:
    """The caches, with what they hold and what is free there."""
    from huggingface_hub.constants import HF_HUB_CACHE

    places = {"Hub": Path(HF_HUB_CACHE), "data sets": data_sets(), "encoded rows": kept_in()}
    for what, folder in places.items():
        if folder is None:
            yield {"what": what, "path": None, "bytes": 0, "free": None}
            continue
        exists = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(exists).free
        yield {"what": what, "path": str(folder), "bytes": size_of(folder), "free": free}


def data_sets() -> Path:
    """Where the library `datasets` keeps what it has prepared, as it reads it from the environment."""
    from huggingface_hub.constants import HF_HOME

    return Path(os.path.expanduser(os.environ.get("HF_DATASETS_CACHE", os.path.join(HF_HOME, "datasets"))))


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder, links not followed."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if not os.path.islink(path) and os.path.exists(path):
                total += os.path.getsize(path)
    return total


def described(document: dict[str, Any]) -> dict[str, str]:
    """What was found, as a line for each."""
    lines = {"versions": ", ".join(f"{name} {version}" for name, version in document["versions"].items())}
    lines["system"] = document["system"]
    for number, device in enumerate(document["devices"]):
        lines[f"device {number}"] = device_line(device)
    precision = document["precision"]
    lines["precision"] = f"{precision['name']}: {precision['why']}"
    lines["speed"] = ", ".join(f"{rate:.3g} TFLOP/s in {name}" for name, rate in document["tflops"].items())
    for cache in document["caches"]:
        lines[f"{cache['what']} cache"] = cache_line(cache)
    return {**lines, "Hub": document["hub"]["said"]}


def device_line(device: dict[str, Any]) -> str:
    """A device with its memory."""
    memory = f", {device['memory'] / GIGABYTE:.1f} GB" if device["memory"] else ""
    free = f" ({device['free'] / GIGABYTE:.1f} free)" if "free" in device else ""
    threads = f", {device['threads']} threads, {device['does']}" if "threads" in device else ""
    return f"{device['kind']}: {device['name']}{threads}{memory}{free}"


def cache_line(cache: dict[str, Any]) -> str:
    """A cache with what it holds."""
    if cache["path"] is None:
        return "switched off (TUNEKIT_CACHE=0)"
    return f"{cache['bytes'] / GIGABYTE:.2f} GB in {cache['path']}, {cache['free'] / GIGABYTE:.1f} GB free"
