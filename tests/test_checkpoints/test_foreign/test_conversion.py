"""From a file of another project to one of our checkpoints."""

import hashlib

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.checkpoints import write_checkpoint
from mmgan_lite.checkpoints.foreign import SOURCES, convert_checkpoint
from mmgan_lite.inference import GANInferencer, TranslationInferencer, get_model, load_model
from mmgan_lite.inference.publishing import publish_loaded, read_published


@pytest.fixture
def foreign(golden, tmp_path):
    """A file of CycleGAN, which is the smallest."""
    state, _, _ = golden('cyclegan_resnet_generator')
    path = tmp_path / 'latest_net_G_A.pth'
    torch.save(state, path)
    return path


def test_result_is_a_checkpoint_of_ours(foreign, tmp_path):
    converted = convert_checkpoint(foreign)
    meta = converted['meta']
    assert meta['converted']['sha256'] == hashlib.sha256(foreign.read_bytes()).hexdigest()
    assert (meta['converted']['file'], meta['experiment_name']) == (foreign.name, foreign.stem)
    assert 'under their license' in meta['converted']['license']
    assert all('generator_a2b' not in name for name in meta['converted']['initial'])
    write_checkpoint(converted, tmp_path / 'ours.pth')
    found, expected = (load_model(None, p, False) for p in (tmp_path / 'ours.pth', foreign))
    for name, tensor in expected.model.state_dict().items():
        assert torch.equal(tensor, found.model.state_dict()[name]), name
    assert publish_loaded(found, tmp_path, 'a').is_file()
    with pytest.raises(ValueError, match=r'is a checkpoint of mmgan_lite already. Use it as it is'):
        convert_checkpoint(tmp_path / 'ours.pth')


def test_config_inside_is_complete(foreign):
    cfg = Config.fromstring(convert_checkpoint(foreign)['meta']['cfg'], '.py')
    assert cfg.model.type == 'CycleGAN'
    assert cfg.train_dataloader.dataset.type == 'UnpairedImageDataset'
    assert cfg.optim_wrapper.constructor == 'MultiOptimWrapperConstructor'
    assert cfg.default_hooks.checkpoint.type == 'GANCheckpointHook'
    assert 'val_dataloader' not in cfg


def test_random_networks_are_the_same_each_time(foreign):
    torch.manual_seed(5)
    first = convert_checkpoint(foreign)['state_dict']
    state = torch.get_rng_state()
    second = convert_checkpoint(foreign)['state_dict']
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert torch.equal(state, torch.get_rng_state())


def test_unknown_files_are_named(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'backbone.conv1.weight': torch.ones(1)}, path)
    known = ', '.join(SOURCES)
    message = rf"a.pth' is of no project that is known \({known}\): it holds \['backbone.conv1"
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(path)
    with pytest.raises(ValueError, match=r"has no 'state_dict'. Pass a file that training wrote"):
        GANInferencer(weights=path)


def test_another_project_than_said_is_named(foreign):
    message = r'is no file of pix2pix: it looks like one of cyclegan. Leave --from out'
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(foreign, 'pix2pix')
    with pytest.raises(ValueError, match=r"source must be one of 'auto', .* 'cyclegan'\?"):
        convert_checkpoint(foreign, 'cycle_gan')


def test_bad_arguments_are_named(foreign, tmp_path):
    with pytest.raises(ValueError, match=r"channel_order must be one of 'rgb', 'bgr'"):
        TranslationInferencer(weights=foreign, channel_order='grb')
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but '.*no.pkl' is none"):
        convert_checkpoint(tmp_path / 'no.pkl')


def test_a_model_of_another_kind_is_named(foreign):
    with pytest.raises(ValueError, match=r'CycleGAN, which translates images. Use mmgan-lite tra'):
        GANInferencer(weights=foreign)


def test_code_in_files_of_torch_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return print, ('ran',)

    torch.save({'model.1.weight': Bomb()}, tmp_path / 'a.pth')
    for read in (convert_checkpoint, lambda path: load_model(None, path, False)):
        with pytest.raises(ValueError, match=r'names print, which could run code'):
            read(tmp_path / 'a.pth')


def test_malicious_pickle_is_refused_wherever_weights_are_read(shared_file, tmp_path, monkeypatch):
    path = shared_file('malicious_stylegan2_ada.pkl')
    monkeypatch.setenv('MMGAN_PWN', str(tmp_path / 'pwned'))
    config = 'stylegan2_ada_cifar10-32x32'
    for read in (
        convert_checkpoint,
        lambda path: GANInferencer(weights=path),
        lambda path: TranslationInferencer(weights=path),
        lambda path: GANInferencer(config, path),
        lambda path: get_model(config, path, allow_mmengine_types=True),
    ):
        with pytest.raises(ValueError, match=r'could run code'):
            read(path)
    assert list(tmp_path.iterdir()) == []


def test_origin_stays_in_a_published_file(foreign, tmp_path):
    loaded = load_model(None, foreign, False)
    published = read_published(publish_loaded(loaded, tmp_path, 'a'), 'cpu')
    assert published.info['origin']['source'] == 'cyclegan'
    assert published.info['origin']['sha256'] == hashlib.sha256(foreign.read_bytes()).hexdigest()
    assert 'license' in published.info['origin']['license']
    assert published.info['iteration'] is None


def test_notes_are_logged_when_it_is_read(foreign, monkeypatch):
    lines = []
    place = 'mmgan_lite.checkpoints.foreign.conversion.print_log'
    monkeypatch.setattr(place, lambda text, **_: lines.append(text))
    load_model(None, foreign, False)
    assert lines[0] == 'latest_net_G_A.pth: Only the direction a2b is in the file.'
