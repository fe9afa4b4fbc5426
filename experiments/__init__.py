"""One module a published figure; `frame` is what they share. Run as `python -m
experiments.a_agreement`."""
