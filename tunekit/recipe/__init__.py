"""Recipes: what to fine-tune, on what, and how; read, overridden and checked before anything heavy loads."""

from tunekit.recipe.adapter import AdapterSection
from tunekit.recipe.build import find, load, of_data, of_model, shipped, shipped_folder
from tunekit.recipe.foreign import load_foreign
from tunekit.recipe.sections import SPLITS, DataSection, HubSection, ModelSection, Recipe, TrainSection

__all__ = [
    "SPLITS",
    "AdapterSection",
    "DataSection",
    "HubSection",
    "ModelSection",
    "Recipe",
    "TrainSection",
    "find",
    "load",
    "load_foreign",
    "of_data",
    "of_model",
    "shipped",
    "shipped_folder",
]
