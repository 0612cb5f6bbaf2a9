"""The model, config and origin that an inferencer finds in its arguments."""

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.inference.loading import load_model
from mmgan_lite.models import GAN

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
    loaded = load_model(None, path, allow_mmengine_types=False)
    assert loaded.info == dict(iteration=5, name='first')
    assert loaded.classes == ('cat', 'dog')
    assert loaded.cfg['model']['generator']['latent_dim'] == 3
    state = torch.load(path)['state_dict']
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, state[name])


def test_without_a_name_of_the_run_its_folder_names_it(write):
    assert load_model(CONFIG, write(iter=5), False).info == dict(iteration=5, name='some_run')


def test_names_count_if_there_is_one_for_each_class(write):
    path = write(dataset_meta=dict(classes=('cat', 'dog', 'cow')))
    assert load_model(CONFIG, path, False).classes is None


def test_built_model_has_no_config(make_gan):
    gan = make_gan()
    loaded = load_model(gan, None, False)
    assert loaded.model is gan
    assert (loaded.cfg, loaded.info, loaded.classes) == (None, {}, None)


def test_config_alone_warns_where_it_was_passed():
    with pytest.warns(UserWarning, match='No weights were given') as log:
        loaded = load_model(CONFIG, None, False)
    assert isinstance(loaded.model, GAN)
    assert loaded.cfg is CONFIG
    assert len(log) == 1
