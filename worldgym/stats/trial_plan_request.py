"""What a plan of trials is made from. Apart from the planning, so that the command line reads it
without loading scipy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrialPlanRequest:
    """What is wanted (one of width, or a and b, or both) and what is known. All correlations lie in
    [0, 1]."""

    width: float | None = None
    """of the 95 % interval, from end to end: 0.2 is 10 points to either side"""
    rate: float = 0.5
    """expected success rate; 0.5 takes most trials"""
    a: float | None = None
    """expected success rate of A"""
    b: float | None = None
    """expected success rate of B"""
    correlation: float = 0.0
    """of A's and B's outcomes in common trials"""
    power: float = 0.8
    """probability of seeing the difference"""
    repeats: int = 1
    """trials of each initial frame"""
    repeat_correlation: float = 0.0
    """of outcomes of one initial frame"""
    generated: int = 0
    """initial frames tried in the world model beside the real ones"""
    real_correlation: float = 0.0
    """of real and generated outcomes of one initial frame (`worldgym estimate` measures it)"""
