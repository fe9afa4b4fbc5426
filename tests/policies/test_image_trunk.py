import numpy as np
import torch
from tiny_networks import TRUNK
from torch.nn import functional as F

from worldgym.policies.image_trunk import Trunk, fold_pixels, shifted


def test_folding_keeps_every_pixel() -> None:
    pixels = torch.randint(0, 256, (2, 16, 8, 3), dtype=torch.uint8)
    folded = fold_pixels(pixels, 4)
    assert folded.shape == (2, 48, 4, 2)
    unfolded = F.pixel_shuffle(folded.unflatten(1, (16, 3)).transpose(1, 2).flatten(1, 2), 4)
    assert torch.equal(unfolded * 128 + 128, pixels.permute(0, 3, 1, 2).float())


def test_folding_is_exact_under_autocast() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    with torch.autocast("cpu", torch.bfloat16):
        half = fold_pixels(pixels, 4)
    assert half.dtype == torch.bfloat16 and torch.equal(half.float(), fold_pixels(pixels, 4))


def test_trunk_batch_equals_one_by_one() -> None:
    torch.manual_seed(0)
    trunk = Trunk(TRUNK).eval()
    pixels, features = torch.randint(0, 256, (5, 16, 16, 3), dtype=torch.uint8), torch.rand(5, 16)
    together = trunk(pixels, features)
    assert together.shape == (5, TRUNK.out)
    apart = torch.cat([trunk(pixels[i : i + 1], features[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)


def test_shift_moves_each_image_as_a_whole() -> None:
    images = np.zeros((20, 12, 12, 3), np.uint8)
    images[:, 6, 6] = 255
    moved = shifted(images, 2, np.random.default_rng(0))
    places = {tuple(np.argwhere(image[..., 0])[0]) for image in moved}
    assert (moved.sum((1, 2, 3)) == 3 * 255).all() and len(places) > 5
    assert all(4 <= y <= 8 and 4 <= x <= 8 for y, x in places)
    assert np.array_equal(shifted(images, 0, np.random.default_rng(0)), images)
