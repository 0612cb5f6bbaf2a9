"""Labels as vectors, and the mistakes that they invite."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.layers import (
    append_label_channel,
    append_label_embedding,
    check_conditioning,
    embed_labels,
)


def test_embedding_is_appended():
    embedding = nn.Embedding.from_pretrained(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    out = append_label_embedding(torch.tensor([[9.0], [8.0]]), torch.tensor([1, 0]), embedding)
    torch.testing.assert_close(out, torch.tensor([[9.0, 3.0, 4.0], [8.0, 1.0, 2.0]]))


def test_without_embedding_the_features_stay():
    features = torch.randn(2, 3)
    assert append_label_embedding(features, None, None) is features
    images = torch.randn(2, 3, 4, 5)
    assert append_label_channel(images, None, None) is images
    assert embed_labels(None, None) is None


def test_label_channel_fills_the_image_row_by_row():
    embedding = nn.Embedding.from_pretrained(torch.arange(12.0).reshape(2, 6))
    images = torch.full((2, 1, 2, 3), -1.0)
    out = append_label_channel(images, torch.tensor([1, 0]), embedding)
    assert out.shape == (2, 2, 2, 3)
    torch.testing.assert_close(out[:, :1], images)
    torch.testing.assert_close(out[0, 1], torch.tensor([[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]))
    torch.testing.assert_close(out[1, 1], torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]))


def test_missing_and_needless_labels():
    with pytest.raises(ValueError, match=r'labels must be given to a network with num_classes=2'):
        append_label_embedding(torch.zeros(1, 1), None, nn.Embedding(2, 2))
    with pytest.raises(ValueError, match=r'labels were given to a network without classes'):
        append_label_embedding(torch.zeros(1, 1), torch.tensor([0]), None)


@pytest.mark.parametrize(('label', 'told'), [(2, '0 to 2'), (-1, '-1 to 0')])
def test_label_out_of_range(label, told):
    message = rf'labels must lie in \[0, 2\), got {told}\. The network was built with num_classes=2'
    with pytest.raises(ValueError, match=message):
        embed_labels(torch.tensor([0, label]), nn.Embedding(2, 2))


def test_conditioning_defaults_to_the_first_choice():
    choices = ('embedding', 'projection')
    assert check_conditioning(None, None, choices) is None
    assert check_conditioning(None, 10, choices) == 'embedding'
    assert check_conditioning('projection', 10, choices) == 'projection'


def test_bad_conditioning_is_named():
    message = r"conditioning must be None or one of 'embedding', 'projection', got 'concat'"
    with pytest.raises(ValueError, match=message):
        check_conditioning('concat', 10, ('embedding', 'projection'))
    message = r"conditioning='projection' needs a network with classes, got num_classes=None"
    with pytest.raises(ValueError, match=message):
        check_conditioning('projection', None, ('embedding', 'projection'))
