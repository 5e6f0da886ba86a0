"""How many near duplicates `tunekit check` finds among real texts, and how many of those it finds are none.

    python benchmarks/checks.py DATA [--pictures FOLDER]

DATA is a folder of jsonl files with a column `text`. Copies of some texts are edited in a known way and
hidden among all others. Of the pairs that are found, those with a copy and its text are right; pairs that are
in the data themselves are printed, to be judged by reading; any other pair is wrong. FOLDER has pictures,
which are changed as they are on their way through the web.
"""

import argparse
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tunekit.checks.pictures import Pictures
from tunekit.checks.texts import FEWEST, WORD, Texts

COPIES = 400  # of each kind
SIDE = 224  # pixels, as models see pictures

Edit = Callable[[list[str], random.Random, Sequence[str]], list[str]]


def signs(words: list[str], _: random.Random, __: Sequence[str]) -> list[str]:
    """Other capitals and signs: no word changes."""
    return [word.upper() if number % 3 else f'"{word}",' for number, word in enumerate(words)]


def typo(words: list[str], draw: random.Random, _: Sequence[str]) -> list[str]:
    """Two letters of a word change places."""
    place = draw.choice([n for n, word in enumerate(words) if len(word) > 3] or [0])
    word = words[place]
    return [*words[:place], word[:1] + word[2:3] + word[1:2] + word[3:], *words[place + 1 :]]


def edits(count: int) -> Edit:
    """So many words dropped, put in, replaced, or moved behind the next."""

    def edit(words: list[str], draw: random.Random, vocabulary: Sequence[str]) -> list[str]:
        found = list(words)
        for place in sorted(draw.sample(range(len(found) - 1), min(count, len(found) - 1)), reverse=True):
            change = draw.randrange(4)
            if change == 0:
                del found[place]
            elif change == 1:
                found.insert(place, draw.choice(vocabulary))
            elif change == 2:
                found[place] = draw.choice(vocabulary)
            else:
                found[place : place + 2] = found[place : place + 2][::-1]
        return found

    return edit


EDITS: dict[str, Edit] = {
    "capitals and signs": signs,
    "a typo": typo,
    **{f"{count} word{'s' * (count > 1)} edited": edits(count) for count in (1, 2, 3, 4, 6)},
    "half the words replaced": lambda words, draw, vocabulary: [
        draw.choice(vocabulary) if number % 2 else word for number, word in enumerate(words)
    ],
}


def pairs_of(texts: Sequence[str]) -> set[tuple[int, int]]:
    """The pairs that are found."""
    return {(min(pair), max(pair)) for pair in Texts.of(texts).pairs(range(len(texts)))}


def measure_texts(folder: Path) -> None:
    """Print recall and precision by kind of edit, and the pairs that the data have themselves."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    texts = list(dict.fromkeys(json.loads(line)["text"] for line in lines))
    vocabulary = sorted({word for text in texts for word in text.split()})
    start = perf_counter()
    natural = pairs_of(texts)
    print(
        f"{len(texts):,} different texts, {perf_counter() - start:.1f} s; {len(natural)} pairs in the data:"
    )
    for one, other in sorted(natural):
        print(f"    {texts[one]}\n    {texts[other]}\n")
    long = [n for n, text in enumerate(texts) if len(WORD.findall(text)) >= FEWEST]
    print(f"{'edit':<26}{'recall':>8}{'precision':>11}")
    for name, edit in EDITS.items():
        draw = random.Random(0)
        picked = draw.sample(long, COPIES)
        copies = [" ".join(edit(texts[n].split(), draw, vocabulary)) for n in picked]
        right = {(n, len(texts) + k) for k, n in enumerate(picked)}
        found = pairs_of([*texts, *copies]) - natural
        hit = len(found & right)
        print(f"{name:<26}{hit / COPIES:>8.3f}{hit / len(found) if found else 1:>11.3f}")


def jpeg(image: Any, quality: int) -> Any:
    """A picture as JPEG."""
    from PIL import Image

    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def changes() -> dict[str, Callable[[Any], Any]]:
    """What happens to pictures, by name."""
    from PIL import ImageEnhance

    def smaller(image: Any, part: float) -> Any:
        return image.resize((round(image.width * part), round(image.height * part)))

    def cropped(image: Any, part: float) -> Any:
        across, down = round(image.width * part), round(image.height * part)
        return image.crop((across, down, image.width - across, image.height - down))

    return {
        "saved again": lambda image: image,
        "twice the size": lambda image: smaller(image, 2),
        "half the size": lambda image: smaller(image, 0.5),
        "JPEG of quality 50": lambda image: jpeg(image, 50),
        "30 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
        "30 % less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
        "5 % cropped on each side": lambda image: cropped(image, 0.05),
        "mirrored": lambda image: image.transpose(0),
    }


def as_kept(image: Any) -> Any:
    """A picture as a task keeps it, shape (3, height, width)."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE))).transpose(2, 0, 1)


def measure_pictures(folder: Path) -> None:
    """Print recall and precision by kind of change."""
    from PIL import Image

    files = sorted(path for path in folder.rglob("*") if re.fullmatch(r"\.(png|jpe?g)", path.suffix))
    images = [Image.open(path) for path in files]
    originals = [as_kept(image) for image in images]
    start = perf_counter()
    natural = set(Pictures.of(originals).pairs(range(len(images))))
    print(f"{len(images):,} pictures, {perf_counter() - start:.1f} s; {len(natural)} pairs in the data")
    picked = random.Random(0).sample(range(len(images)), min(COPIES, len(images)))
    print(f"{'change':<26}{'recall':>8}{'precision':>11}")
    for name, change in changes().items():
        copies = [as_kept(change(images[n])) for n in picked]
        right = {(n, len(images) + k) for k, n in enumerate(picked)}
        found = set(Pictures.of([*originals, *copies]).pairs(range(len(images) + len(copies)))) - natural
        hit = len(found & right)
        print(f"{name:<26}{hit / len(picked):>8.3f}{hit / len(found) if found else 1:>11.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    measure_texts(given.data)
    if given.pictures:
        measure_pictures(given.pictures)
