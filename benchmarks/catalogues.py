"""Real translations without a download: messages of installed programs, and a small Marian to train on them.

python benchmarks/catalogues.py OUTPUT [FOLDER ...]      folders with .mo files, by default /usr/share/locale

Writes OUTPUT/pairs (English and German in train, validation and test) and OUTPUT/marian, a checkpoint with
random weights and SentencePiece models of the training rows.
"""

import gettext
import json
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import sentencepiece
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

SIZES = {"test": 500, "validation": 300}
LONGEST = 50  # characters
PIECES = 3000

Pair = dict[str, str]


def messages(folders: Iterable[Path]) -> dict[str, str]:
    """The first German message of each English one, without formats and of one line."""
    found: dict[str, str] = {}
    for file in sorted(path for folder in folders for path in folder.glob("**/de/**/*.mo")):
        with file.open("rb") as content, suppress(UnicodeDecodeError):  # in some old ones
            for given, german in sorted(pairs(gettext.GNUTranslations(content))):
                english = given.split("\x04")[-1].strip()  # what comes before is the message's context
                if is_plain(english) and is_plain(german):
                    found.setdefault(english, german.strip())
    return found


def pairs(catalogue: gettext.GNUTranslations) -> Iterator[tuple[str, str]]:
    """The messages of a catalogue that have one form."""
    for given, german in vars(catalogue)["_catalog"].items():
        if isinstance(given, str):
            yield given, german


def is_plain(text: str) -> bool:
    """Whether a message is one short line of words alone."""
    return 0 < len(text.strip()) <= LONGEST and not {"\n", "%"} & set(text)


def write_pairs(folder: Path, found: dict[str, str]) -> list[Pair]:
    """Write the splits; returns the training rows."""
    rows = [{"en": english, "de": german} for english, german in sorted(found.items())]
    random.Random(0).shuffle(rows)
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in {**SIZES, "train": len(rows) - sum(SIZES.values())}.items():
        part, rows = rows[:size], rows[size:]
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return part


def write_marian(folder: Path, rows: list[Pair]) -> None:
    """Write a checkpoint of 4 layers of 128 with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {"</s>": 0, "<unk>": 1}
    for side in ("source", "target"):  # the same pieces, as most of Marian's models have them
        with (folder / f"{side}.spm").open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=(text for row in rows for text in row.values()),
                model_writer=file,
                vocab_size=PIECES,
                character_coverage=0.9995,
                minloglevel=2,
            )
    trained = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    for number in range(3, trained.get_piece_size()):
        vocab.setdefault(trained.id_to_piece(number), len(vocab))
    vocab["<pad>"] = pad = len(vocab)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    layers = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in HALF.items()}
    config = MarianConfig(
        vocab_size=len(vocab),
        d_model=128,
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        max_position_embeddings=128,
        scale_embedding=True,
        **layers,
    )
    MarianMTModel(config).save_pretrained(folder)
    files = [str(folder / name) for name in ("source.spm", "target.spm", "vocab.json")]
    MarianTokenizer(*files, model_max_length=128).save_pretrained(folder)


HALF = {"layers": 2, "attention_heads": 4, "ffn_dim": 512}

if __name__ == "__main__":
    output, *folders = map(Path, sys.argv[1:])
    rows = write_pairs(output / "pairs", messages(folders or [Path("/usr/share/locale")]))
    write_marian(output / "marian", rows)
    print(f"{len(rows):,} training pairs and a checkpoint in {output}")
