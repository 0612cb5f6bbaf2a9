import math

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models.losses.contrastive import PatchNCELoss, PatchProjector


def test_loss_by_hand():
    """Two images of two places; the keys of the first are swapped."""
    queries = torch.eye(2).expand(2, 2, 2)
    keys = torch.stack([torch.eye(2).flip(0), torch.eye(2)])
    wrong, right = math.log(1 + math.exp(2)), math.log(1 + math.exp(-2))
    torch.testing.assert_close(
        PatchNCELoss(temperature=0.5)(queries, keys), torch.tensor((wrong + right) / 2)
    )


def test_projection_by_hand():
    projector = PatchProjector((3, 2), projection_dim=4)
    features = [torch.randn(2, 3, 4, 5), torch.randn(2, 2, 2, 2)]
    places = [torch.tensor([7, 0, 19]), torch.tensor([3])]
    first, second = projector(features, places)
    assert first.shape == (2, 3, 4)
    assert second.shape == (2, 1, 4)
    patch = features[0][1, :, 1, 2]  # place 7 of rows of 5
    torch.testing.assert_close(first[1, 0], F.normalize(projector.layers[0](patch), dim=0))


def test_parameters_of_the_published_projector():
    projector = PatchProjector((3, 128, 256, 256, 256))
    assert sum(p.numel() for p in projector.parameters()) == 560_384


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r'temperature must be a finite number over 0, got 0'):
        PatchNCELoss(0)
    with pytest.raises(ValueError, match=r'projection_dim must be an int of at least 1, got 0'):
        PatchProjector((3,), 0)
