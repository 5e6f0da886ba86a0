"""Texts a second as vectors: `tunekit embed` beside sentence-transformers, and whether they are the same.

    python benchmarks/embed.py MODEL TEXTS [--rows N] [--batch-size 32]

TEXTS is a .jsonl or .txt file of texts as `tunekit embed --input` reads it. Both read the model first, which
is not counted; rows are read, tokenized and answered within the time. Run it on an idle machine.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sentence_transformers import SentenceTransformer

from tunekit import embedding
from tunekit.data.streams import stream
from tunekit.models.precision import use_fastest_exact_fp32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=32, help="of sentence-transformers")
    given = parser.parse_args()
    use_fastest_exact_fp32()
    task, model = embedding.open_encoder(given.model, {}, print)
    rows = [row["text"] for chunk in stream(given.texts, task) for row in chunk][: given.rows]
    theirs = SentenceTransformer(given.model, device=str(model.device))
    with TemporaryDirectory() as folder:
        source, output = Path(folder) / "rows.txt", Path(folder) / "vectors.npy"
        source.write_text("".join(" ".join(text.split()) + "\n" for text in rows))
        texts = source.read_text().splitlines()
        began = time.perf_counter()
        embedding.write_vectors(task, model, str(source), output, None, "float32")
        ours = time.perf_counter() - began
        vectors = np.load(output)
    began = time.perf_counter()
    wanted = theirs.encode(texts, batch_size=given.batch_size, show_progress_bar=False)
    other = time.perf_counter() - began
    print(f"{len(texts):,} texts on {model.device}")
    print(f"tunekit               {len(texts) / ours:8.1f} texts a second")
    print(f"sentence-transformers {len(texts) / other:8.1f} texts a second")
    print(f"largest difference of a number: {np.abs(vectors - wanted).max():.1e}")


if __name__ == "__main__":
    main()
