"""What this machine has and can, and trials that prove on a recipe what is promised of every run."""

from tunekit.doctor.invariance import Cuts, compare_cuts
from tunekit.doctor.machine import described, examine
from tunekit.doctor.resuming import RESUMED, STEPS, Proof, compare, prove_resume, shortened, verdict

__all__ = [
    "RESUMED",
    "STEPS",
    "Cuts",
    "Proof",
    "compare",
    "compare_cuts",
    "described",
    "examine",
    "prove_resume",
    "shortened",
    "verdict",
]
