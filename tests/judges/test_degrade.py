import numpy as np

from worldgym.judges.degrade import degrade


def checkers(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    board = (np.indices((32, 32)).sum(0) % 2 * 100 + 80).astype(np.uint8)
    return np.broadcast_to(board[None, :, :, None], (count, 32, 32, 3)).copy()


def test_zero_strength_changes_nothing() -> None:
    frames = checkers(3)
    assert degrade(frames, 0.0, np.random.default_rng(0)) is frames


def test_rows_are_spoiled_differently_but_stay_recognisable() -> None:
    frames = checkers(40)
    spoiled = degrade(frames, 1.0, np.random.default_rng(0))
    assert spoiled.shape == frames.shape and spoiled.dtype == np.uint8
    gaps = np.abs(spoiled.astype(int) - frames).mean((1, 2, 3))
    assert gaps.min() < 12 < gaps.max() < 60
    means = spoiled.mean((1, 2, 3)) - frames.mean()
    assert np.abs(means).max() < 20


def test_same_numbers_same_result() -> None:
    frames = checkers(4)
    assert np.array_equal(
        degrade(frames, 1.0, np.random.default_rng(3)),
        degrade(frames, 1.0, np.random.default_rng(3)),
    )
