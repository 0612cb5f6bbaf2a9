"""From features to a logit."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.layers import LogitHead


def set_weight(layer, values):
    layer.weight.data = torch.tensor(values)


def test_logit_alone_is_linear():
    head = LogitHead(2)
    set_weight(head.linear, [[2.0, -1.0]])
    head.linear.bias.data = torch.tensor([0.5])
    # 2 * 3 - 4 + 0.5
    torch.testing.assert_close(head(torch.tensor([[3.0, 4.0]])), torch.tensor([2.5]))
    with pytest.raises(ValueError, match=r'labels were given to a network without classes'):
        head(torch.zeros(1, 2), torch.tensor([0]))


def test_projection_adds_the_product_with_the_label():
    head = LogitHead(2, num_classes=2, conditioning='projection')
    set_weight(head.linear, [[2.0, -1.0]])
    head.linear.bias.data = torch.tensor([0.5])
    set_weight(head.embedding, [[0.0, 1.0], [10.0, -1.0]])
    features = torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    # 2.5 + 4 and 2.5 + 30 - 4
    logits = head(features, torch.tensor([0, 1]))
    torch.testing.assert_close(logits, torch.tensor([6.5, 28.5]))


def test_projection_is_small_at_first():
    head = LogitHead(1000, num_classes=10, conditioning='projection')
    nn.init.zeros_(head.linear.weight)
    logits = head(torch.randn(500, 1000), torch.arange(500) % 10)
    assert logits.std().item() == pytest.approx(1, rel=0.2)


def test_classifier_leaves_the_logit_alone():
    head = LogitHead(2, num_classes=3, conditioning='classifier')
    features = torch.randn(5, 2)
    logits, class_logits = head(features, return_classes=True)
    torch.testing.assert_close(logits, head(features))
    torch.testing.assert_close(logits, head.linear(features)[:, 0])
    torch.testing.assert_close(class_logits, head.classifier(features))


def test_classes_without_a_classifier():
    with pytest.raises(ValueError, match=r'return_classes=True needs a discriminator with a class'):
        LogitHead(2)(torch.zeros(1, 2), return_classes=True)
