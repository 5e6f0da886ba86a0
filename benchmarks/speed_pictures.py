"""Pictures as the image classification script reads them: decoded and cropped at random at every look."""

from pathlib import Path
from typing import Any

import numpy as np
import speed_work

SMALLEST, ASPECT, TRIES = 0.08, 4 / 3, 10  # of a random crop: share of the area, width to height, draws
MIDDLE = 0.5  # mean and deviation of what the model reads


def labels(folder: Path) -> list[str]:
    """The classes: the names of the folders."""
    return sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())


class Pictures:
    """The files of class folders, as a data set of tensors."""

    def __init__(self, folder: Path, names: list[str], seed: int) -> None:
        self.files = [
            (path, label) for label, name in enumerate(names) for path in sorted((folder / name).iterdir())
        ]
        self.random = np.random.default_rng(seed)

    def some(self, rows: list[int]) -> "Pictures":
        """These pictures alone, in this order."""
        self.files = [self.files[row] for row in rows]
        return self

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """A picture as the model reads it, shape (3, 224, 224), and its label."""
        import torch
        from PIL import Image

        path, label = self.files[row]
        with Image.open(path) as file:
            picture = file.convert("RGB")
        side = speed_work.SIDE
        seen = picture.resize((side, side), Image.Resampling.BILINEAR, box=self.crop(*picture.size))
        if self.random.random() < MIDDLE:
            seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(seen)).permute(2, 0, 1).contiguous().float().div_(255)
        return {"pixel_values": pixels.sub_(MIDDLE).div_(MIDDLE), "labels": label}

    def crop(self, width: int, height: int) -> tuple[int, int, int, int]:
        """A box of random size, shape and place; the whole picture where none fits."""
        for _ in range(TRIES):
            area = width * height * self.random.uniform(SMALLEST, 1)
            ratio = np.exp(self.random.uniform(-np.log(ASPECT), np.log(ASPECT)))
            wide, high = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < wide <= width and 0 < high <= height:
                left = int(self.random.integers(width - wide + 1))
                top = int(self.random.integers(height - high + 1))
                return left, top, left + wide, top + high
        return 0, 0, width, height
