"""Retraining: a shipped model goes on learning, and becomes a model only if it is better."""

from hyperfocal.retrain.plan import Plan
from hyperfocal.retrain.report import Compared, RetrainReport, Verdict, judge
from hyperfocal.retrain.run import retrain

__all__ = ["Compared", "Plan", "RetrainReport", "Verdict", "judge", "retrain"]
