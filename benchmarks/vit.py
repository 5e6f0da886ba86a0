"""A small vision transformer with random weights, for trying image classification without a download.

Without a validation split nothing is chosen, and the last model is scored:

    python benchmarks/vit.py FOLDER
    tunekit finetune image-classification model=FOLDER data=PICTURES data.validation_share=0 task.crop=0.8 \\
        train.epochs=60 train.batch_size=64 train.learning_rate=1e-3 train.weight_decay=0.05 \\
        train.warmup=0.1 train.schedule=cosine
"""

import sys
from pathlib import Path

from transformers import ViTConfig, ViTForImageClassification, set_seed
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

SIDE, PATCH, WIDTH, LAYERS = 28, 7, 128, 6


def main(folder: Path) -> None:
    """Write a checkpoint that reads pictures of 28 x 28 in 16 patches, and say how large it is."""
    set_seed(0)
    config = ViTConfig(
        image_size=SIDE,
        patch_size=PATCH,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=4 * WIDTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = ViTForImageClassification(config)
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    print(f"{folder}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
