"""Inception through torch-fidelity; the real weights are not needed, any will do for the wiring."""

import hashlib

import pytest
import torch
from torch_fidelity import FeatureExtractorInceptionV3

from mmgan_lite.evaluation import InceptionV3, torch_fidelity_adapter
from mmgan_lite.registry import MODELS


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A file of random weights, and the beginning of its sha256."""
    path = tmp_path_factory.mktemp('inception') / 'weights.pth'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url',
            lambda *args, **kwargs: {},
        )
        patch.setattr(FeatureExtractorInceptionV3, 'load_state_dict', lambda *args: None)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3('inception-v3-compat', ['2048'])
    torch.save(network.state_dict(), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_features_and_logits(weights, monkeypatch):
    path, sha256 = weights
    monkeypatch.setattr(torch_fidelity_adapter, 'INCEPTION_SHA256', sha256[:8])
    extractor = MODELS.build(dict(type='InceptionV3', weights=str(path)))
    assert extractor.fingerprint == sha256
    assert extractor.tag == ''
    gray = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    features, logits = extractor(gray)
    assert features.shape == (2, 2048)
    assert logits.shape == (2, 1008)
    assert torch.equal(extractor(gray.expand(-1, 3, -1, -1)).features, features)
    # torch-fidelity's own score takes logits without the bias.
    torch.testing.assert_close(logits, features @ extractor.network.fc.weight.T)
    # Gray with alpha 255, and with alpha 0, which is white.
    opaque = torch.cat([gray, torch.full_like(gray, 255)], 1)
    assert torch.equal(extractor(opaque).features, features)
    transparent, white = torch.cat([gray, 0 * gray], 1), torch.full_like(gray, 255)
    assert torch.equal(extractor(transparent).features, extractor(white).features)
    assert torch.equal(extractor(gray.expand(-1, 7, -1, -1)).features, features)
    assert extractor.describe_channels(4) == 'alpha composited on white'
    # Whole floats are bytes, and others lie between them.
    torch.testing.assert_close(extractor(gray.float()).features, features)
    assert extractor(gray.float()).logits is None
    between = extractor.extract(gray.float() + 1e-3).features - features
    assert 0 < between.abs().max() < 1e-2 * features.abs().max()


def test_other_weights_never_count_as_inception(weights):
    with pytest.raises(ValueError, match='starts with 6726825d'):
        InceptionV3(weights[0])


def test_neither_there_nor_to_be_had(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError('no network')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fail)
    with pytest.raises(FileNotFoundError, match='pass its path as weights'):
        InceptionV3()
