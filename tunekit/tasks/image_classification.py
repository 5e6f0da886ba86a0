"""Image classification: one label for a picture, such as what it shows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tunekit import metrics
from tunekit.errors import listing
from tunekit.tasks import _plain
from tunekit.tasks._constants import constant
from tunekit.tasks._guess import CERTAIN, NAMED, Guess, Seen, suits
from tunekit.tasks.base import Answer, Example, Inputs, Kind, Model, Outputs, Role, Task, Window

ALL_LISTED = 10  # labels up to which an answer gives the probability of each
ASPECTS = (3 / 4, 4 / 3)  # of a random crop, width to height
NORMALISING = ("do_rescale", "do_normalize", "include_top")  # what turns pixels into other numbers
EXACT = 1e-4  # by which pixel values may differ from the processor's own; they go from about -2 to 3

Array = NDArray[np.float32]


class ImageClassification(Task):
    """Give each picture one of the labels that occur in training.

        image  "train/cat/0001.png"
        label  "cat"

    Pictures are resized and cropped once, as the checkpoint's processor does it, and kept in 8 bits; they
    become the numbers that the model reads in batches, on the device. Training sees each picture a little
    differently every time (`crop`, `flip`), evaluation never.
    """

    heads = ("AutoModelForImageClassification",)
    auto_processor = "AutoImageProcessor"
    processor_options = {"backend": "pil"}  # the same pixels whether or not torchvision is installed
    inputs = {"image": Role("image", "image", ("img", "picture", "photo", "file_name", "file", "path"))}
    targets = {"label": Role("label", "label", ("labels", "class", "category", "target", "fine_label"))}
    labels_from = "label"
    pipeline_tag = "image-classification"

    class Options(Task.Options):
        """Settings of image classification."""

        crop: float | None = Field(
            0.5,
            gt=0,
            le=1,
            description="smallest share of its area that training sees of a picture; null: all",
        )
        flip: bool = Field(True, description="show every second picture mirrored in training")
        label_smoothing: float = Field(
            0.0, ge=0, lt=1, description="share of the training target that is spread over all labels"
        )

    options: Options

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """A column of pictures, and one of labels."""
        roles = {**cls.inputs, **cls.targets}
        pictures = [column for column in seen.columns if "image" in column.kinds]
        if not pictures or not seen.knows(roles):
            return None
        image = seen.find("image", roles["image"]) or pictures[0]
        label = seen.find("label", roles["label"], [image])
        able = [label] if label else [c for c in seen.free([image]) if suits(c, roles["label"])]
        if not able:
            return None
        names = listing(repr(column.name) for column in able)
        which = f"columns {names} could each be the label; choose with --column label=NAME"
        return Guess(
            NAMED if seen.texts([image, able[0]]) or not label else CERTAIN,
            {"image": image.name, "label": able[0].name},
            f"{image.name!r} holds pictures, and {able[0].name!r} has {able[0].describe()}",
            notes={"label": able[0].describe()},
            obstacle=which if len(able) > 1 else None,
        )

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.RANKED

    @classmethod
    def lacks(cls, processor: Any, head: str) -> Iterator[str]:
        makes = processor.model_input_names
        if "pixel_values" not in makes:
            yield f"its processor makes {' and '.join(makes)} and no pixel values; choose another checkpoint"
            return
        noise = np.random.default_rng(0).integers(0, 256, (60, 40, 3), np.uint8)
        upright, lying = (cls.keep(processor, "image", picture) for picture in (noise, noise.swapaxes(0, 1)))
        if upright.ndim != 3:
            yield f"its processor makes arrays of {upright.shape} and no pictures; choose another checkpoint"
            return
        if upright.shape != lying.shape:
            yield (
                f"its processor makes arrays of {upright.shape} of one picture and of {lying.shape} of "
                "another; set do_center_crop, or both height and width, in preprocessor_config.json"
            )
            return
        scale, shift = scaling(processor)
        if np.abs(upright * scale + shift - pixel_values(processor, noise)).max() > EXACT:
            yield "its processor does more to pixels than to scale and shift them; choose another checkpoint"

    @classmethod
    def keep(cls, processor: Any, kind: Kind, value: Any) -> NDArray[np.uint8]:
        """The pixels of a picture as the processor resizes and crops it, shape (3, height, width)."""
        off = {name: False for name in NORMALISING if hasattr(processor, name)}
        pixels = processor(images=value, return_tensors="np", **off)
        return np.ascontiguousarray(pixels["pixel_values"][0], np.uint8)

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        """The most frequent labels, the answer of one who never looks."""
        counts = Counter(row["label"] for row in rows)
        return {"frequent": sorted(counts, key=lambda label: (-counts[label], label))[: metrics.BEST]}

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        return {"majority": [self.learned["frequent"]] * len(rows)}

    def encode(self, example: Example) -> Iterator[Window]:
        yield Window({"pixel_values": example["image"]})

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {"labels": self.index[example["label"]]}

    def augment(self, inputs: Inputs, keys: Sequence[tuple[int, int, int]]) -> Inputs:
        if self.options.crop is None and not self.options.flip:
            return inputs
        views = np.stack([view(key, self.options.crop, flip=self.options.flip) for key in keys])
        return {**inputs, "pixel_values": seen_through(inputs["pixel_values"], views)}

    @cached_property
    def scaling(self) -> tuple[Array, Array]:
        """What turns 8-bit pixels into those that the model reads."""
        return scaling(self.processor)

    def logits(self, model: Model, pixels: Any) -> Any:
        """What the model says of 8-bit pixels, shape (windows, labels)."""
        values = pixels.to(model.dtype)
        scale, shift = (constant(each, values) for each in self.scaling)
        return model(pixel_values=values * scale + shift).logits.float()

    def loss(self, model: Model, inputs: Inputs) -> Any:
        from torch.nn.functional import cross_entropy

        logits = self.logits(model, inputs["pixel_values"])
        return cross_entropy(logits, inputs["labels"], label_smoothing=self.options.label_smoothing)

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        return {"probabilities": self.logits(model, inputs["pixel_values"]).softmax(-1)}  # (windows, labels)

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        """The label, and the probabilities of the likeliest first; of few labels all."""
        probabilities = windows[0].outputs["probabilities"]
        listed = len(self.labels) if len(self.labels) <= ALL_LISTED else metrics.BEST
        best = np.argsort(-probabilities, kind="stable")[:listed]
        return {
            "label": self.labels[best[0]],
            "probabilities": {self.labels[i]: round(float(probabilities[i]), 6) for i in best},
        }

    def comparable(self, answer: Answer) -> str:
        return str(answer["label"])

    def reference(self, example: Example) -> str:
        return str(example["label"])

    def statistics(self, answers: Sequence[Answer], references: Sequence[Any]) -> list[metrics.Statistics]:
        return self.measure.statistics([list(answer["probabilities"]) for answer in answers], references)

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "problem_type": "single_label_classification"}

    def plain_code(self, model: str) -> str:
        return _plain.code(_plain.PICTURE, model)


def pixel_values(processor: Any, picture: NDArray[np.uint8]) -> Array:
    """What the processor itself makes of a picture (height, width, 3), shape (3, height, width)."""
    return np.asarray(processor(images=picture, return_tensors="np")["pixel_values"][0], np.float32)


def scaling(processor: Any) -> tuple[Array, Array]:
    """The scale and shift with which a processor normalises pixels of 0 to 255, shape (3, 1, 1) each.

    They are read off its output for a black and a white picture, and so are right whatever its settings are
    called.
    """
    black, white = (pixel_values(processor, np.full((64, 64, 3), shade, np.uint8)) for shade in (0, 255))
    middle = np.s_[:, black.shape[1] // 2, black.shape[2] // 2, None, None]
    return (white[middle] - black[middle]) / np.float32(255), black[middle]


def view(key: Sequence[int], crop: float | None, *, flip: bool) -> Array:
    """The part of a picture that is seen, as an affine map from seen to given places, shape (2, 3).

    Places run from -1 to 1 on both axes. A crop has at least the share `crop` of the area, and is inside.
    """
    random = np.random.default_rng(list(key))
    least, (low, high) = crop or 1.0, np.log(ASPECTS)
    area, aspect, x, y, side = random.random(5)
    share = least + (1 - least) * area
    stretch = np.clip(np.exp(low + (high - low) * aspect), share, 1 / share)
    width, height = np.sqrt(share * stretch), np.sqrt(share / stretch)
    left, top = (2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height)  # of the crop's middle
    mirrored = -width if flip and side < 0.5 else width
    return np.array([[mirrored, 0, left], [0, height, top]], np.float32)


def seen_through(pixels: Any, views: Array) -> Any:
    """Parts of pictures in full size, by interpolation; `pixels` are (pictures, 3, height, width), 8 bits."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    grid = affine_grid(torch.from_numpy(views).to(pixels.device), list(pixels.shape), align_corners=False)
    seen = grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    return seen.round().to(torch.uint8)
