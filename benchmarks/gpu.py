"""How fast is tunekit on a GPU beside transformers' own Trainer? One NVIDIA GPU, no network and no files.

    python benchmarks/gpu.py [--json FILE] [--workloads sentences,long,pictures] [--variants ...] [--rounds N]

Models have the size of BERT base and ViT-B/16 and random weights; rows are made up. Every measurement is a
process of its own, and the variants take turns: tunekit as it is (`train.compile=false`), tunekit compiled,
and the Trainer tuned (bf16 and TF32, batches grouped by length, padding to multiples of 8, fused AdamW, four
workers, no saves), plain and compiled. Batch, rate, dropout and lengths are equal. Timed are steps after many
to warm up, between two moments at which the device is idle.

    sentences  BERT base, 32 texts of 5 to 60 tokens, 25 in the mean
    long       BERT base, 32 texts of 512 tokens
    pictures   ViT-B/16, 64 pictures of 224 x 224, cropped and mirrored at random

Useful FLOP/s count real tokens only: 6 x weights of products x tokens + 12 x layers x width x sum of squared
lengths.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, LAYERS, INNER = 768, 12, 3072  # of BERT base and ViT-B
WEIGHTS = LAYERS * (4 * WIDTH**2 + 2 * WIDTH * INNER)  # of products for each token
WORDS, SPECIAL = 20_000, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LABELS = ("good", "bad", "neither")
SIDE, PATCHES = 224, 196
RATE = 2e-5
PEAK = 989e12  # bf16 products a second, dense, as NVIDIA says of H100 and H200


@dataclass(frozen=True)
class Workload:
    """What is trained, and how many steps are made first and timed then."""

    rows: int
    batch: int
    tokens: tuple[int, int]  # fewest and most of a text; of pictures the patches and the class
    warm: int
    timed: int

    @property
    def pictures(self) -> bool:
        """Whether rows are pictures."""
        return self.tokens[0] == PATCHES + 1


WORKLOADS = {
    "sentences": Workload(12_800, 32, (5, 60), 300, 400),
    "long": Workload(1_280, 32, (512, 512), 40, 60),
    "pictures": Workload(1_280, 64, (PATCHES + 1, PATCHES + 1), 40, 60),
}
VARIANTS = ("tunekit", "tunekit-compiled", "trainer", "trainer-compiled")


class Clock:
    """Seconds between the end of the last step that warms up and the end of the last one."""

    def __init__(self, workload: Workload) -> None:
        self.workload, self.moments = workload, list[float]()

    def step(self, number: int) -> None:
        """A step has been asked for; at both ends wait until the device has made it."""
        if number in (self.workload.warm, self.workload.warm + self.workload.timed):
            import torch

            torch.cuda.synchronize()
            self.moments.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """The time between."""
        return self.moments[1] - self.moments[0]


def texts(workload: Workload) -> Iterator[tuple[str, int]]:
    """Texts of random words, with a label; lengths fall off towards the longest, with a mean near 25."""
    import numpy as np

    random = np.random.default_rng(0)
    low, high = workload.tokens
    for _ in range(workload.rows):
        count = high if low == high else int(np.clip(random.gamma(4.0, 6.3), low, high))
        words = random.integers(0, WORDS, count - 2)
        yield " ".join(f"w{word}" for word in words), int(random.integers(len(LABELS)))


def prepare(folder: Path, names: list[str]) -> None:
    """Write checkpoints and rows."""
    import transformers

    transformers.set_seed(0)
    for name in names:
        workload, target = WORKLOADS[name], folder / name
        (target / "rows").mkdir(parents=True)
        if workload.pictures:
            model = transformers.ViTModel(transformers.ViTConfig())
            write_pictures(target / "rows" / "train", workload)
            write_processor(target / "model")
        else:
            model = transformers.BertModel(transformers.BertConfig())
            write_tokenizer(target / "model")
            rows = [{"text": text, "label": LABELS[label]} for text, label in texts(workload)]
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (target / "rows" / "train.jsonl").write_text(lines)
        model.save_pretrained(target / "model")


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of BERT's kind that knows the made-up words."""
    from transformers import BertTokenizer

    vocabulary = [*SPECIAL, *(f"w{word}" for word in range(WORDS))]
    numbered = {word: number for number, word in enumerate(vocabulary)}
    BertTokenizer(vocab=numbered, model_max_length=512).save_pretrained(folder)


def write_processor(folder: Path) -> None:
    """The processor of ViT."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def write_pictures(folder: Path, workload: Workload) -> None:
    """Pictures of coarse noise, as JPEG, in a folder for each class."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
    for number in range(workload.rows):
        coarse = Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8))
        label = LABELS[number % len(LABELS)]
        coarse.resize((256, 256)).save(folder / label / f"{number}.jpg")


def train_with_tunekit(name: str, folder: Path, compiled: bool, clock: Clock) -> None:
    """Fine-tune by the shipped recipe; steps are noticed where the engine notes them."""
    from tunekit import workflow
    from tunekit.engine import Fitting

    workload, note = WORKLOADS[name], Fitting.note

    def noted(self: Fitting, progress: Any) -> None:
        note(self, progress)
        clock.step(progress.step)

    Fitting.note = noted  # type: ignore[method-assign]
    total = workload.warm + workload.timed
    task = ["task.crop=0.3", "task.flip=true"] if workload.pictures else ["task.max_length=512"]
    train = {"steps": total, "batch_size": workload.batch, "learning_rate": RATE, "log_every": 50}
    train |= {"evaluate_every": total, "save_every": total, "compile": str(compiled).lower()}
    workflow.finetune(
        "image-classification" if workload.pictures else "sentiment",
        f"model={folder / 'model'}",
        f"data={folder / 'rows'}",
        "data.validation_share=0",
        *task,
        *(f"train.{key}={value}" for key, value in train.items()),
        output=folder / f"run-{time.time_ns()}",
    )


def train_with_trainer(name: str, folder: Path, compiled: bool, clock: Clock) -> None:
    """Fine-tune with the Trainer, tuned."""
    import torch
    import transformers

    workload = WORKLOADS[name]
    transformers.set_seed(0)
    torch.set_float32_matmul_precision("high")

    class Steps(transformers.TrainerCallback):  # type: ignore[misc]
        """Notices steps."""

        def on_step_end(self, arguments: Any, state: Any, *given: Any, **further: Any) -> None:
            clock.step(state.global_step)

    kind = "Image" if workload.pictures else "Sequence"
    auto = getattr(transformers, f"AutoModelFor{kind}Classification")
    model = auto.from_pretrained(folder / "model", num_labels=len(LABELS), dtype="float32")
    rows, further = (trainer_pictures if workload.pictures else trainer_texts)(folder)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / f"trainer-{time.time_ns()}"),
        max_steps=workload.warm + workload.timed,
        per_device_train_batch_size=workload.batch,
        learning_rate=RATE,
        optim="adamw_torch_fused",
        bf16=True,
        tf32=True,
        logging_steps=10**6,
        logging_nan_inf_filter=False,
        dataloader_persistent_workers=True,
        torch_compile=compiled,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **further["arguments"],
    )
    collator = further["collator"]
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=rows, data_collator=collator, callbacks=[Steps()]
    )
    trainer.train()


def trainer_texts(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Encoded texts for the Trainer, to be grouped by length."""
    import datasets
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "model")
    rows = [json.loads(line) for line in (folder / "rows" / "train.jsonl").read_text().splitlines()]
    encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=512)
    columns = {key: encoded[key] for key in encoded} | {"labels": [LABELS.index(r["label"]) for r in rows]}
    columns["length"] = [len(ids) for ids in encoded["input_ids"]]
    arguments = {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}
    arguments["dataloader_num_workers"] = 4
    collator = transformers.DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)
    return datasets.Dataset.from_dict(columns), {"arguments": arguments, "collator": collator}


def trainer_pictures(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Pictures for the Trainer, read, cropped and mirrored by the example script's transforms."""
    import transformers
    from torch.utils.data import Dataset
    from torchvision import transforms

    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE, scale=(0.3, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )

    class Pictures(Dataset):  # type: ignore[misc]
        """The files of all classes."""

        paths = sorted((folder / "rows" / "train").glob("*/*.jpg"))

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, number: int) -> dict[str, Any]:
            from PIL import Image

            path = self.paths[number]
            with Image.open(path) as image:
                return {
                    "pixel_values": change(image.convert("RGB")),
                    "labels": LABELS.index(path.parent.name),
                }

    further = {"remove_unused_columns": False, "dataloader_num_workers": 14}
    return Pictures(), {"arguments": further, "collator": transformers.default_data_collator}


def measure(name: str, variant: str, folder: Path) -> dict[str, float]:
    """Train, and return what was seen of the timed steps."""
    import torch

    workload, clock = WORKLOADS[name], Clock(WORKLOADS[name])
    tool = train_with_tunekit if variant.startswith("tunekit") else train_with_trainer
    began = time.perf_counter()
    tool(name, folder, variant.endswith("compiled"), clock)
    examples = workload.timed * workload.batch / clock.seconds
    return {
        "examples_per_second": examples,
        "flops_per_second": examples * flops_of_an_example(workload),
        "milliseconds_a_step": 1000 * clock.seconds / workload.timed,
        "seconds_until_timed": clock.moments[0] - began,
        "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9,
    }


def flops_of_an_example(workload: Workload) -> float:
    """Useful operations of a mean example, forward and backward."""
    import numpy as np

    low, high = workload.tokens
    lengths = [low] if low == high else [len(text.split()) + 2 for text, _ in texts(workload)]
    tokens, squares = np.mean(lengths), np.mean(np.square(lengths))
    return float(6 * WEIGHTS * tokens + 12 * LAYERS * WIDTH * squares)


def ceiling() -> float:
    """Operations a second of a large bf16 product on this device."""
    import torch

    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        a @ b
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(20):
        a @ b
    torch.cuda.synchronize()
    return 20 * 2 * 8192.0**3 / (time.perf_counter() - start)


def table(results: dict[str, dict[str, list[dict[str, float]]]], most: float) -> str:
    """The medians as Markdown."""
    head = (
        "| workload | variant | examples/s (all) | ms a step | beside the Trainer | TFLOP/s | of the ceiling"
    )
    lines = [f"{head} | of 989 TFLOP/s | GB | seconds before |", "|" + "---|" * 10]
    for name, variants in results.items():
        peers = [median(v, "examples_per_second") for k, v in variants.items() if k.startswith("trainer")]
        for variant, runs in variants.items():
            rate, flops = median(runs, "examples_per_second"), median(runs, "flops_per_second")
            each = ", ".join(f"{run['examples_per_second']:.0f}" for run in runs)
            cells = [name, variant, f"{rate:.0f} ({each})", f"{median(runs, 'milliseconds_a_step'):.2f}"]
            cells += [f"{rate / max(peers):.2f}" if peers else "-", f"{flops / 1e12:.0f}"]
            cells += [f"{flops / most:.1%}", f"{flops / PEAK:.1%}"]
            cells += [f"{median(runs, 'peak_memory_gb'):.1f}", f"{median(runs, 'seconds_until_timed'):.0f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def median(runs: list[dict[str, float]], key: str) -> float:
    """The middle value of some runs."""
    return statistics.median(run[key] for run in runs)


def call(*arguments: str) -> Any:
    """Run this program for one piece of work; what it says as JSON in its last line, or None if it failed."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"{' '.join(arguments[:3])} FAILED:\n{done.stderr[-3000:]}", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure in turns, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    names, variants = options.workloads.split(","), options.variants.split(",")
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory(prefix="tunekit-gpu-") as folder:
        call("--prepare", folder, ",".join(names))
        most = call("--ceiling") or float("nan")
        print(f"ceiling: {most / 1e12:.0f} TFLOP/s", flush=True)
        for _, name, variant in ((r, n, v) for r in range(options.rounds) for n in names for v in variants):
            start = time.monotonic()
            found = call("--job", name, variant, f"{folder}/{name}")
            if found:
                results.setdefault(name, {}).setdefault(variant, []).append(found)
                rate, took = found["examples_per_second"], time.monotonic() - start
                print(f"{name} {variant}: {rate:.0f} examples/s ({took:.0f} s)", flush=True)
            if options.json:
                options.json.write_text(json.dumps({"ceiling": most, "results": results}, indent=1) + "\n")
    print(table(results, most))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--prepare", folder, names]:
            prepare(Path(folder), names.split(","))
            print("null")
        case ["--ceiling"]:
            print(json.dumps(ceiling()))
        case ["--job", name, variant, folder]:
            print(json.dumps(measure(name, variant, Path(folder))))
        case _:
            main()
