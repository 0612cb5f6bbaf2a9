"""Labels as an appended vector."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.layers import append_label_embedding


def test_embedding_is_appended():
    embedding = nn.Embedding.from_pretrained(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    out = append_label_embedding(torch.tensor([[9.0], [8.0]]), torch.tensor([1, 0]), embedding)
    torch.testing.assert_close(out, torch.tensor([[9.0, 3.0, 4.0], [8.0, 1.0, 2.0]]))


def test_without_embedding_the_features_stay():
    features = torch.randn(2, 3)
    assert append_label_embedding(features, None, None) is features


def test_missing_and_needless_labels():
    with pytest.raises(ValueError, match=r'labels must be given to a network with num_classes=2'):
        append_label_embedding(torch.zeros(1, 1), None, nn.Embedding(2, 2))
    with pytest.raises(ValueError, match=r'labels were given to a network without classes'):
        append_label_embedding(torch.zeros(1, 1), torch.tensor([0]), None)
