"""Building a model from a config and loading what training wrote."""

import pickle

import pytest
import torch

from mmgan_lite.inference import get_model
from mmgan_lite.inference.model import find_device


def config(num_classes=None, hidden_dims=(8, 8)):
    """The model that make_gan builds, as a config."""
    networks = dict(image_shape=(1, 4, 4), num_classes=num_classes)
    return dict(
        model=dict(
            type='GAN',
            generator=dict(type='MLPGenerator', latent_dim=6, hidden_dims=hidden_dims, **networks),
            discriminator=dict(type='MLPDiscriminator', hidden_dims=(8,), **networks),
            loss=dict(type='NonSaturatingGANLoss'),
            ema=dict(type='ExponentialMovingAverage'),
        )
    )


@pytest.fixture
def checkpoint(make_gan, tmp_path):
    gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
    torch.save(dict(state_dict=gan.state_dict(), meta=dict(iter=3)), tmp_path / 'iter_3.pth')
    return tmp_path / 'iter_3.pth'


def test_weights_are_those_of_the_file(checkpoint):
    gan = get_model(config(), checkpoint)
    saved = torch.load(checkpoint)['state_dict']
    assert not gan.training
    assert all(torch.equal(value, saved[name]) for name, value in gan.state_dict().items())


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but .*no.pth' is none"):
        get_model(config(), tmp_path / 'no.pth')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off'])
def test_damaged_file(tmp_path, content):
    (tmp_path / 'bad.pth').write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint '.*bad.pth' is damaged"):
        get_model(config(), tmp_path / 'bad.pth')


def test_truncated_file(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r'is damaged'):
        get_model(config(), checkpoint)


def test_code_in_the_file_does_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / 'written'), 'w'))

    torch.save(dict(state_dict=Malicious()), tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match=r'io.open, which could run code'):
        get_model(config(), tmp_path / 'bad.pth')
    (tmp_path / 'plain.pth').write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ValueError, match=r'holds what could run code .*Unsupported operand'):
        get_model(config(), tmp_path / 'plain.pth')
    assert not (tmp_path / 'written').exists()


def test_file_without_weights(tmp_path):
    torch.save(dict(weights=1), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r"has no 'state_dict'"):
        get_model(config(), tmp_path / 'other.pth')


def test_checkpoint_of_another_model(checkpoint):
    with pytest.raises(
        ValueError,
        match=r'generator.label_embedding.weight \(absent in the file, \(3, 3\) in the model\)',
    ):
        get_model(config(num_classes=3), checkpoint)


def test_checkpoint_of_another_size(checkpoint):
    with pytest.raises(
        ValueError,
        match=r'generator.layers.0.weight \(\(8, 6\) in the file, \(9, 6\) in the model\)',
    ):
        get_model(config(hidden_dims=(9, 8)), checkpoint)


def test_named_config_without_weights():
    gan = get_model('gan_mlp_digits-28x28_conditional')
    assert gan.num_classes == 10
    assert not gan.training


def test_unknown_config():
    with pytest.raises(
        ValueError, match=r"got 'gan_mlp_digit'. Did you mean 'gan_mlp_digits-28x28'"
    ):
        get_model('gan_mlp_digit')


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', 'xla', 3.5])
def test_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=r'device must be one of this machine, got .*device=.cpu'):
        get_model('gan_mlp_digits-28x28', device=device)


def test_device_without_values():
    with pytest.raises(ValueError, match=r"'meta' has none"):
        find_device('meta')


def test_best_device_by_default():
    assert find_device().type == ('cuda' if torch.cuda.is_available() else 'cpu')
