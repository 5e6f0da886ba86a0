"""Pictures that are nearly the same: copies in another size, quality or brightness, by perceptual hashes."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

SIDE = 16  # bits a side of a hash
NEAR = 28  # bits of 256 in which hashes of nearly the same picture may differ
BLOCK = 1 << 22  # pairs that are compared at a time


class Pictures:
    """Pictures as perceptual hashes."""

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self.hashes = hashes  # (pictures, words of 64 bits)

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Pictures as arrays (3, height, width)."""
        hashes = [hash_of(value) for value in values]
        return cls(np.stack(hashes) if hashes else np.zeros((0, SIDE * SIDE // 64), np.uint64))

    def near(self, one: int, other: int) -> bool:
        """Whether two pictures are nearly the same."""
        return bool(distances(self.hashes[[one]], self.hashes[[other]])[0, 0] <= NEAR)

    def pairs(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The pairs of nearly equal pictures among those that are numbered."""
        chosen = np.array(numbers, np.int64)
        hashes, height = self.hashes[chosen], max(1, BLOCK // max(1, len(chosen)))
        for start in range(0, len(chosen), height):
            found = np.argwhere(distances(hashes[start : start + height], hashes[start:]) <= NEAR) + start
            yield from ((int(chosen[a]), int(chosen[b])) for a, b in found if a < b)


def hash_of(picture: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The perceptual hash of a picture (3, height, width) as words of 64 bits."""
    import imagehash
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
    return np.packbits(imagehash.phash(image, hash_size=SIDE).hash.ravel()).view(np.uint64)


def distances(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int64]:
    """In how many bits hashes differ, shape (some, others)."""
    total = np.zeros((len(some), len(others)), np.int64)
    for word in range(some.shape[1]):
        total += np.bitwise_count(some[:, None, word] ^ others[None, :, word])
    return total
