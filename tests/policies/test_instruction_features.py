import torch
from hypothesis import given
from hypothesis import strategies as st

from worldgym.policies.instruction_features import instruction_features, ngrams


def test_ngrams_are_words_pairs_and_letters() -> None:
    assert ngrams("Open it!") == ["open", "it", "open it", "<op", "ope", "pen", "en>", "<it", "it>"]


def test_features_are_the_same_on_every_machine() -> None:
    assert instruction_features(["open"], 16).nonzero()[:, 1].tolist() == [2, 4, 11, 14, 15]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_rows_have_unit_length_and_do_not_depend_on_neighbours(texts: list[str]) -> None:
    features = instruction_features(texts, 32)
    for text, row in zip(texts, features, strict=True):
        assert torch.equal(row, instruction_features([text], 32)[0])
        assert abs(row.norm().item() - (1.0 if ngrams(text) else 0.0)) < 1e-5


def test_similar_instructions_are_close() -> None:
    a, b, c = instruction_features(
        ["open the drawer", "please open the drawer", "press a button"], 256
    )
    assert a @ b > 0.7 > a @ c
