"""The engine: optimizer steps as a generator, and around it logging, evaluating, saving and stopping."""

from tunekit.engine.fitting import Fitting, fit
from tunekit.engine.optimization import Optimization
from tunekit.engine.signals import StopSignals
from tunekit.engine.steps import Progress

__all__ = ["Fitting", "Optimization", "Progress", "StopSignals", "fit"]
