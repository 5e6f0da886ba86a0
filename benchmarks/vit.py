"""A small vision transformer with random weights, for trying image classification without a download.

Without a validation split nothing is chosen, and the last model is scored:

    python benchmarks/vit.py FOLDER
    tunekit finetune image-classification model=FOLDER data=PICTURES data.validation_share=0 task.crop=0.8 \\
        train.epochs=60 train.batch_size=64 train.learning_rate=1e-3 train.weight_decay=0.05 \\
        train.warmup=0.1 train.schedule=cosine
"""

import sys
from pathlib import Path

SIDE, PATCH, WIDTH, LAYERS = 28, 7, 128, 6


def write(folder: Path, *, side: int, patch: int, width: int, layers: int, heads: int) -> int:
    """Write a checkpoint that reads square pictures, and return how many parameters it has."""
    from transformers import ViTConfig, ViTForImageClassification, set_seed
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    set_seed(0)
    config = ViTConfig(
        image_size=side,
        patch_size=patch,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = ViTForImageClassification(config)
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)
    return sum(p.numel() for p in model.parameters())


def main(folder: Path) -> None:
    """Write a checkpoint that reads pictures of 28 x 28 in 16 patches, and say how large it is."""
    size = write(folder, side=SIDE, patch=PATCH, width=WIDTH, layers=LAYERS, heads=4)
    print(f"{folder}: {size:,} parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
