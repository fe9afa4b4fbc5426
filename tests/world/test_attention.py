"""The fast form of attention along time is the plain one, and no row depends on its batch."""

from __future__ import annotations

import pytest
import torch

from worldgym.world.attention import attend, fused, recall


def looks(frames: int, dtype: torch.dtype, rows: int = 3) -> tuple[torch.Tensor, ...]:
    """q, k, v and mask of 5 places, 2 heads and a ring of 17, the last slot hidden."""
    torch.manual_seed(0)
    q = torch.randn(rows, frames, 5, 3, 2, 16)[:, :, :, 1].permute(0, 2, 3, 1, 4)
    k, v = torch.randn(2, rows, 5, 2, 17, 16)
    mask = torch.randn(2, frames, 17)
    mask[..., -1] = -torch.inf
    return tuple(x.to(dtype) for x in (q, k, v, mask))


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_fused_is_plain(frames: int, heads: int) -> None:
    q, k, v, mask = looks(frames, torch.float32)
    found = fused(q, k, v, mask[:heads])
    torch.testing.assert_close(found, attend(q, k, v, mask[:heads]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2])
def test_one_frame_in_bfloat16_is_as_near_the_truth(frames: int) -> None:
    given = looks(frames, torch.bfloat16)
    truth = attend(*(x.float() for x in given))
    plain, found = (way(*given).float() - truth for way in (attend, recall))
    assert found.abs().max() < 0.02 and found.std() < 1.2 * plain.std()
    assert torch.equal(plain, found) == (frames > 1)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.bfloat16, 0.0)])
def test_a_row_does_not_depend_on_its_batch(dtype: torch.dtype, error: float) -> None:
    q, k, v, mask = looks(1, dtype, rows=9)
    whole = recall(q, k, v, mask)
    for row in range(9):
        alone = recall(q[row : row + 1], k[row : row + 1], v[row : row + 1], mask)
        torch.testing.assert_close(alone[0], whole[row], atol=error, rtol=0)
