"""Parts of a GAN that do not fit together; the errors that a GAN raises are in test_gan.py."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.compatibility import check_batch, has_classifier, takes_one_pass


def test_batch_that_fits_gives_the_labels_of_a_conditional_model():
    images, labels = torch.zeros(2, 1, 4, 4), torch.tensor([0, 1])
    assert check_batch(images, labels, (1, 4, 4), 2) is labels
    assert check_batch(images, labels, (1, 4, 4), None) is None


@pytest.mark.parametrize(
    ('labels', 'shape', 'message'),
    [
        (None, (1, 8, 8), r'got \(1, 8, 8\) for images of \(1, 4, 4\)'),
        (None, (1, 4, 4), 'num_classes=2 needs data with labels'),
        (torch.tensor([0]), (1, 4, 4), 'labels must be one an image, got 1 for 2 images'),
    ],
)
def test_batch_that_does_not_fit(labels, shape, message):
    with pytest.raises(ValueError, match=message):
        check_batch(torch.zeros(2, 1, 4, 4), labels, shape, 2)


def test_batch_norm_allows_no_single_pass():
    network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    assert not takes_one_pass(network)
    network.one_pass = True
    with pytest.raises(ValueError, match="which has BatchNorm1d in '1'"):
        takes_one_pass(network)


def test_classifier_is_an_attribute_of_the_network():
    network = nn.Linear(1, 1)
    assert not has_classifier(network)
    network.has_classifier = True
    assert has_classifier(network)


def test_batch_of_translation():
    with pytest.raises(ValueError, match=r"A GAN trains on images, got a batch without 'inputs'"):
        check_batch(None, None, (1, 4, 4), None)
