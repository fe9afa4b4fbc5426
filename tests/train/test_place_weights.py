"""What moves, and what must stay, counts for more."""

from __future__ import annotations

import torch

from worldgym.train.place_weights import motion_weight, still_weight


def test_still_latents_weigh_one() -> None:
    x = torch.zeros(1, 3, 2, 4, 4)
    x[0, 2, :, 1, 1] = 5.0
    weight = motion_weight(x, torch.zeros(1, 2, 4, 4), 4.0)
    assert weight[0, 2, 0, 1, 1] == 5.0
    assert weight[0, 2, 0, 0, 0] == 1.0 and weight[0, 1].max() == 1.0


def test_a_still_thing_beside_a_moving_one_weighs_more_where_asked() -> None:
    start = torch.zeros(1, 2, 12, 12)
    start[0, :, 3, 3] = 5.0  # a thing beside which something moves
    start[0, :, 9, 9] = 5.0  # one that is alone
    x = start[:, None].repeat(1, 3, 1, 1, 1)
    x[0, 1:, :, 3, 5] = 5.0
    weight = still_weight(x, start, 4.0)
    assert isinstance(weight, torch.Tensor) and weight.shape == (1, 3, 1, 12, 12)
    assert (weight[0, 1:, 0, 3, 3] > 3.0).all() and not weight[0, 0].any()
    assert not weight[0, :, 0, 9, 9].any() and not weight[0, :, 0, 3, 5].any()
    assert weight[0, 1, 0, 5, 5] < 1.0  # plain ground
    assert still_weight(x, start, 0.0) == 0.0


def test_what_has_left_its_place_since_the_start_weighs_more() -> None:
    x = torch.zeros(1, 3, 2, 4, 4)
    x[0, :, :, 1, 1] = 5.0
    weight = motion_weight(x, torch.zeros(1, 2, 4, 4), 4.0)
    assert (weight[0, :, 0, 1, 1] == 5.0).all() and weight[0, :, 0, 0].max() == 1.0
