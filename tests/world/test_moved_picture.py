"""Moving a picture by a homography, and the network that says by which."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from worldgym.native.packed_layers import packed
from worldgym.world.moved_picture import SCALE, MovedPicture, moved_by
from worldgym.world.network_config import DiTConfig

CONFIG = DiTConfig((2, 4, 4), cameras=2, action_size=5, direct_width=8)


def by(**numbers: float) -> torch.Tensor:
    """[1, 8]; what is not named is 0."""
    return torch.tensor([[numbers.get(name, 0.0) for name in "abcdefgh"]])


def test_nothing_moves_by_nothing() -> None:
    pictures = torch.randn(3, 2, 6, 8)
    found = moved_by(pictures, torch.zeros(3, 8))
    torch.testing.assert_close(found[:, :2], pictures)
    assert (found[:, 2] == 1).all()


@given(right=st.integers(-5, 5), down=st.integers(-5, 5))
def test_a_shift_by_whole_pixels(right: int, down: int) -> None:
    """The new picture shows at each place what the old one shows further right and down."""
    height, width = 6, 8
    picture = torch.arange(float(height * width)).view(1, 1, height, width)
    found = moved_by(picture, by(c=2 * right / width, f=2 * down / height))[0]
    for y in range(height):
        for x in range(width):
            there = 0 <= y + down < height and 0 <= x + right < width
            assert found[1, y, x] == there
            wanted = picture[0, 0, y + down, x + right] if there else 0.0
            assert found[0, y, x] == pytest.approx(float(wanted), abs=1e-3)


def test_a_turn_by_a_right_angle() -> None:
    picture = torch.randn(1, 3, 6, 6)
    turned = moved_by(picture, by(a=-1.0, b=-1.0, d=1.0, e=-1.0))[:, :3]
    torch.testing.assert_close(turned, picture.rot90(1, (2, 3)), atol=1e-5, rtol=1e-5)


def test_two_moves_are_one() -> None:
    """As the product of their matrices, in a picture that is smooth enough to be looked up
    twice."""
    x = torch.linspace(-1, 1, 64)
    picture = (torch.cos(2 * x)[:, None] + torch.sin(3 * x)[None])[None, None]
    first, then = by(a=0.1, c=0.1, h=0.05), by(b=0.1, e=-0.1, f=0.1, g=0.05)
    product = (matrix(first) @ matrix(then)).flatten()
    once = moved_by(picture, (product / product[-1] - torch.eye(3).flatten())[None, :8])
    twice = moved_by(moved_by(picture, first)[:, :1], then)
    inside = (once[:, 1:] == 1) & (twice[:, 1:] == 1)
    edge = slice(8, -8)
    differs = (once - twice)[..., edge, edge][:, :1][inside[..., edge, edge]].abs()
    assert len(differs) > 500 and differs.quantile(0.95) < 0.01


def matrix(numbers: torch.Tensor) -> torch.Tensor:
    return torch.eye(3) + torch.cat([numbers.flatten(), torch.zeros(1)]).view(3, 3)


def test_what_lies_behind_the_camera_is_out_of_sight() -> None:
    found = moved_by(torch.ones(1, 1, 8, 8), by(g=-2.0))
    assert (found[0, 1, :, 6:] == 0).all() and (found[0, 1, 3:5, 2:4] == 1).all()
    assert found.isfinite().all()


def test_a_new_network_leaves_pictures_where_they_are() -> None:
    picture = MovedPicture(CONFIG)
    picture.initialize()
    assert picture.homographies(torch.randn(2, 3, 5)).abs().max() == 0
    assert picture.homographies(torch.randn(2, 3, 5)).shape == (2, 3, 16)
    drawn = picture.pictures(torch.randn(3, 2, 4, 4))
    assert drawn.shape == (3, 3, 4 * SCALE, 4 * SCALE)


def test_homographies_are_computed_in_float32_whatever_the_weights_are() -> None:
    torch.manual_seed(0)
    half = MovedPicture(CONFIG).bfloat16()
    whole = MovedPicture(CONFIG)
    whole.load_state_dict(half.state_dict())
    shown = torch.randn(2, 5)
    found = half.homographies(shown)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, whole.homographies(shown))
    torch.testing.assert_close(packed(whole).homographies(shown), found)


def test_a_gradient_finds_a_small_shift() -> None:
    """Moving a smooth picture has gradients: descent finds by how much another was moved."""
    x = torch.linspace(-1, 1, 32)
    picture = torch.exp(-8 * (x[:, None] ** 2 + (x[None] - 0.1) ** 2))[None, None]
    wanted = moved_by(picture, by(c=0.15, f=-0.1))[:, :1]
    guess = torch.zeros(1, 8, requires_grad=True)
    optimizer = torch.optim.Adam([guess], 0.02)
    for _ in range(200):
        optimizer.zero_grad()
        (moved_by(picture, guess)[:, :1] - wanted).square().mean().backward()
        optimizer.step()
    assert math.dist(guess[0, [2, 5]].tolist(), (0.15, -0.1)) < 0.03
