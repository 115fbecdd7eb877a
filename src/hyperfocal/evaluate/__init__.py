"""How good a model is: suites, the protocol of the literature, reports."""

from hyperfocal.evaluate.compare import Comparison, compare
from hyperfocal.evaluate.measuring import (
    SuiteChoice,
    known_suites,
    measure_quality,
    measure_speed,
)
from hyperfocal.evaluate.protocol import ProtocolCheck
from hyperfocal.evaluate.record import check_name, record, record_speed
from hyperfocal.evaluate.report import BicubicMean, ImageScore, Mean, Report
from hyperfocal.evaluate.run import evaluate
from hyperfocal.evaluate.suites import DATA_VARIABLE, Pair, Suite, find_suite
from hyperfocal.evaluate.table import render

__all__ = [
    "DATA_VARIABLE",
    "BicubicMean",
    "Comparison",
    "ImageScore",
    "Mean",
    "Pair",
    "ProtocolCheck",
    "Report",
    "Suite",
    "SuiteChoice",
    "check_name",
    "compare",
    "evaluate",
    "find_suite",
    "known_suites",
    "measure_quality",
    "measure_speed",
    "record",
    "record_speed",
    "render",
]
