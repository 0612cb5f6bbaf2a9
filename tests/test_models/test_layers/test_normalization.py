"""Norms by name."""

import pytest
import torch

from mmgan_lite.models.layers import make_norm


@pytest.mark.parametrize(
    ('norm', 'pixels', 'parameters'), [('batch', (0, 2, 3), 2), ('instance', (2, 3), 0)]
)
def test_what_is_normalized_together(norm, pixels, parameters):
    features = 3 + 2 * torch.randn(4, 5, 6, 7)
    layer = make_norm(norm, 5)
    assert len(list(layer.parameters())) == parameters
    variance = features.var(pixels, correction=0, keepdim=True)
    expected = (features - features.mean(pixels, keepdim=True)) / (variance + 1e-5).sqrt()
    torch.testing.assert_close(layer(features), expected)
    if norm == 'instance':  # there are no running statistics
        torch.testing.assert_close(layer.eval()(features), expected)


def test_none_leaves_features_as_they_are():
    features = torch.randn(2, 5, 3, 3)
    assert make_norm('none', 5)(features) is features


def test_bad_name():
    message = r"norm must be one of 'batch', 'instance', 'none', got 'instant'. Did you mean 'inst"
    with pytest.raises(ValueError, match=message):
        make_norm('instant', 5)
