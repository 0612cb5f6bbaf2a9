"""Batch norm with gains and biases of classes, or of vectors."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.layers import ClassBatchNorm2d, ConditionalBatchNorm2d


def test_starts_as_batch_norm():
    features = 3 * torch.randn(6, 4, 2, 2) + 1
    norm, plain = ClassBatchNorm2d(4, 3), nn.BatchNorm2d(4)
    torch.testing.assert_close(norm(features, torch.arange(6) % 3), plain(features))
    norm.eval(), plain.eval()
    torch.testing.assert_close(norm(features, torch.arange(6) % 3), plain(features))


def test_each_class_has_its_gain_and_bias():
    norm = ClassBatchNorm2d(2, num_classes=2)
    norm.gains_and_biases.weight.data = torch.tensor([[1.0, 2.0, 0.0, 5.0], [3.0, 4.0, 6.0, 7.0]])
    features = torch.randn(3, 2, 4, 4)
    mean = features.mean((0, 2, 3), keepdim=True)
    normalized = (features - mean) / (
        features.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5
    ).sqrt()
    out = norm(features, torch.tensor([1, 0, 1]))
    torch.testing.assert_close(out[0, 0], 3 * normalized[0, 0] + 6)
    torch.testing.assert_close(out[1, 0], normalized[1, 0])
    torch.testing.assert_close(out[1, 1], 2 * normalized[1, 1] + 5)
    torch.testing.assert_close(out[2, 1], 4 * normalized[2, 1] + 7)


def test_keeps_bfloat16():
    features = torch.randn(3, 2, 4, 4, dtype=torch.bfloat16)
    assert ClassBatchNorm2d(2, 2)(features, torch.tensor([0, 1, 1])).dtype == torch.bfloat16


def test_needs_labels():
    with pytest.raises(ValueError, match=r'labels must be given to a network with num_classes=2'):
        ClassBatchNorm2d(2, 2)(torch.zeros(1, 2, 1, 1), None)


def test_layers_make_gains_and_biases_of_a_vector():
    gains, biases = nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False)
    features, vectors = torch.randn(4, 2, 5, 5), torch.randn(4, 3)
    out = ConditionalBatchNorm2d(2, gains, biases)(features, vectors)
    normalized = nn.BatchNorm2d(2, affine=False)(features)
    gain, bias = (vectors @ layer.weight.T for layer in (gains, biases))
    expected = normalized * (1 + gain)[:, :, None, None] + bias[:, :, None, None]
    torch.testing.assert_close(out, expected)


def test_embeddings_make_them_of_labels():
    gains, biases = nn.Embedding(3, 2), nn.Embedding(3, 2)
    norm, labels = ConditionalBatchNorm2d(2, gains, biases), torch.tensor([2, 0])
    features = torch.randn(2, 2, 5, 5, dtype=torch.bfloat16)
    assert norm(features, labels).dtype == torch.bfloat16
    normalized = nn.BatchNorm2d(2, affine=False)(features.float())
    expected = normalized[0] * (1 + gains.weight[2])[:, None, None]
    expected = expected + biases.weight[2][:, None, None]
    torch.testing.assert_close(norm(features.float(), labels)[0], expected)
    with pytest.raises(ValueError, match=r'labels must be given to a network with num_classes=3'):
        norm(features, None)
