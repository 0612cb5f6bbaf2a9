"""Attention of each pixel to the others."""

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models.layers import SelfAttention
from mmgan_lite.models.layers.attention import check_attention


def test_is_the_identity_at_first():
    features = torch.randn(2, 8, 4, 6)
    assert torch.equal(SelfAttention(8)(features), features)


def test_matches_the_formula_pixel_by_pixel():
    layer = SelfAttention(16)
    layer.gamma.data.fill_(0.7)
    features = torch.randn(1, 16, 4, 6)
    theta, phi, g, o = (m.weight[:, :, 0, 0] for m in (layer.theta, layer.phi, layer.g, layer.o))
    assert (theta.shape, phi.shape, g.shape, o.shape) == ((2, 16), (2, 16), (8, 16), (16, 8))
    pooled = [F.max_pool2d(torch.einsum('oc,nchw->nohw', w, features), 2)[0] for w in (phi, g)]
    keys, values = (p.reshape(len(p), 6) for p in pooled)
    out = features.clone()
    for row in range(4):
        for column in range(6):
            scores = keys.T @ (theta @ features[0, :, row, column])
            weights = scores.exp() / scores.exp().sum()
            out[0, :, row, column] += 0.7 * (o @ (values @ weights))
    torch.testing.assert_close(layer(features), out, atol=1e-5, rtol=1e-5)


def test_keeps_bfloat16_under_autocast():
    with torch.autocast('cpu', torch.bfloat16):
        out = SelfAttention(8)(torch.randn(2, 8, 4, 4, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16


def test_places():
    assert check_attention((1, 3), 3) == (1, 3)
    assert check_attention((), 3) == ()
    with pytest.raises(ValueError, match=r'from 1 to 3, .* got 4. Pass attention=3, or \(\)'):
        check_attention(4, 3)
