"""Building a model from a config and loading what training wrote."""

import pickle

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.inference import get_model
from mmgan_lite.inference.model import load_model
from mmgan_lite.models import GAN


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


def test_data_preprocessor_at_the_top_of_the_config(checkpoint, tmp_path):
    """Runner gives it to the model, and with it the bits of the images."""
    deep = dict(type='ImageBatchPreprocessor', bit_depth=16)
    cfg = Config({**config(), 'data_preprocessor': deep})
    assert get_model(cfg, checkpoint).data_preprocessor.bit_depth == 16
    assert 'data_preprocessor' not in cfg.model
    content = torch.load(checkpoint)
    content['meta']['cfg'] = cfg.pretty_text
    torch.save(content, tmp_path / 'whole.pth')
    gan, found, *_ = load_model(None, tmp_path / 'whole.pth', False)
    assert gan.data_preprocessor.bit_depth == found['model']['data_preprocessor']['bit_depth'] == 16
    own = {**config()['model'], 'data_preprocessor': dict(type='ImageBatchPreprocessor')}
    gan = get_model({**cfg.to_dict(), 'model': own}, checkpoint)
    assert gan.data_preprocessor.bit_depth == 8


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


CONFIG = dict(
    model=dict(
        type='GAN',
        generator=dict(type='MLPGenerator', latent_dim=3, image_shape=(1, 2, 2), num_classes=2),
        discriminator=dict(type='MLPDiscriminator', image_shape=(1, 2, 2), num_classes=2),
        loss=dict(type='HingeGANLoss'),
    ),
    default_scope='mmgan_lite',
)


@pytest.fixture
def write(tmp_path):
    """Writes a checkpoint with this ``meta``; gives its path."""

    def write(**meta):
        torch.manual_seed(3)
        gan = GAN(**{key: value for key, value in CONFIG['model'].items() if key != 'type'})
        path = tmp_path / 'some_run' / 'iter_5.pth'
        path.parent.mkdir(exist_ok=True)
        torch.save(dict(state_dict=gan.state_dict(), meta=meta), path)
        return path

    return write


def test_checkpoint_with_all_that_training_writes(write):
    path = write(
        cfg=Config(CONFIG).pretty_text,
        iter=5,
        experiment_name='first_20260102_030405',
        dataset_meta=dict(classes=('cat', 'dog')),
    )
    loaded, cfg, info, classes = load_model(None, path, allow_mmengine_types=False)
    assert info == dict(iteration=5, name='first')
    assert classes == ('cat', 'dog')
    assert cfg['model']['generator']['latent_dim'] == 3
    state = torch.load(path)['state_dict']
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, state[name])


def test_without_a_name_of_the_run_its_folder_names_it(write):
    _, cfg, info, _ = load_model(CONFIG, write(iter=5), False)
    assert cfg is CONFIG
    assert info == dict(iteration=5, name='some_run')


def test_names_count_if_there_is_one_for_each_class(write):
    path = write(dataset_meta=dict(classes=('cat', 'dog', 'cow')))
    assert load_model(CONFIG, path, False)[-1] is None


def test_built_model_has_no_config(make_gan):
    gan = make_gan()
    loaded, *others = load_model(gan, None, False)
    assert loaded is gan
    assert others == [None, {}, None]
