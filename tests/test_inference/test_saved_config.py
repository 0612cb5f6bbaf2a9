"""The config inside a checkpoint is read, and never run."""

import sys

import pytest
from mmengine.config import Config
from torch import nn

from mmgan_lite.inference.saved_config import check_parts, parse_config
from mmgan_lite.registry import MODELS

GENERATOR = dict(type='MLPGenerator', latent_dim=3)


def test_dumped_config_comes_back(repo):
    paths = sorted((repo / 'configs').glob('[!_]*/*.py'))
    assert paths
    for path in paths:
        cfg = Config.fromfile(path)
        settings = parse_config(cfg.pretty_text, 'x.pth')
        assert settings == dict(model=cfg.model.to_dict(), default_scope='mmgan_lite'), path


def test_config_in_pure_python_comes_back(tmp_path):
    (tmp_path / 'lazy.py').write_text(
        'from mmgan_lite.models import GAN, MLPGenerator\n'
        "model = dict(type=GAN, generator=dict(type=MLPGenerator, x=float('-inf'), y=[None, {}]))"
    )
    text = Config.fromfile(tmp_path / 'lazy.py').pretty_text
    model = parse_config(text, 'x.pth')['model']
    assert model['type'] == 'mmgan_lite.models.GAN'
    checked = check_parts(model, 'x.pth')
    assert checked['type'] == 'mmgan_lite.GAN'
    assert checked['generator'] == dict(
        type='mmgan_lite.MLPGenerator', x=float('-inf'), y=[None, {}]
    )


@pytest.mark.parametrize(
    'value',
    [
        "__import__('os').system('touch written')",
        "dict(type='GAN', x=open('written', 'w'))",
        "dict(**{'type': 'GAN'})",
        "dict([('type', 'GAN')])",
        '{**{}}',
        '[x for x in ()]',
        "f'{open}'",
        'dict(x=(lambda: 1))',
        'dict(x=-dict())',
        'dict(x=name)',
        'dict(x=1 + 1)',
    ],
)
def test_what_would_run_is_refused(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"inside 'x.pth' cannot be read: line 1 has .* have to run"
    ):
        parse_config(f'model = {value}', 'x.pth')
    assert list(tmp_path.iterdir()) == []


def test_other_settings_are_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "import os\nopen('written', 'w')\nhooks = open('written', 'w')\nmodel = dict(type='GAN')"
    assert parse_config(text, 'x.pth') == dict(model=dict(type='GAN'))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('text', ['model = (', 'model = 1', 'x = 1', '\0', '(' * 5000])
def test_text_that_is_no_config(text):
    with pytest.raises(ValueError, match=r"The config inside 'x.pth' cannot be read"):
        parse_config(text, 'x.pth')


@pytest.mark.parametrize(
    'name',
    [
        'os.system',
        'this',  # a module of the standard library that prints when it is imported
        'mmengine.config.Config.fromfile',
        'mmgan_lite.get_model',
        'mmgan_lite.models.gan.functools.partial',
        'torch.nn.Linear',
        'NoSuchGenerator',
        'elsewhere.NoSuchGenerator',
        'ModuleExtractor',  # ours, but of the metrics
        3,
        None,
    ],
)
def test_type_that_is_no_part_is_refused_unimported(name, capsys):
    sys.modules.pop('this', None)
    with pytest.raises(ValueError, match=r"'x.pth' has a part .* that is not registered"):
        check_parts(dict(type='GAN', parts=[dict(type=name)]), 'x.pth')
    assert 'this' not in sys.modules
    assert capsys.readouterr().out == ''


def test_error_names_the_imports():
    with pytest.raises(ValueError, match=r'Import my_parts, my_losses first, or pass the config'):
        check_parts(dict(type='MyGAN'), 'x.pth', None, dict(imports=['my_parts', 'my_losses']))


def test_part_of_the_user_is_found_once_it_is_imported():
    @MODELS.register_module()
    class PartOfAUser(nn.Module):
        pass

    try:
        assert check_parts(dict(type='PartOfAUser'), 'x')['type'] == 'PartOfAUser'
        assert check_parts(dict(type=PartOfAUser), 'x')['type'] == 'mmgan_lite.PartOfAUser'
    finally:
        MODELS._module_dict.pop('PartOfAUser')


def test_initialisation_is_left_out_and_scope_refused():
    init = dict(type='Pretrained', checkpoint='http://elsewhere/x.pth')
    model = dict(type='mmgan_lite.GAN', generator=dict(**GENERATOR, init_cfg=init), init_cfg=[init])
    assert check_parts(model, 'x') == dict(type='mmgan_lite.GAN', generator=GENERATOR)
    with pytest.raises(ValueError, match=r"must not hold '_scope_'"):
        check_parts(dict(type='GAN', _scope_='antigravity'), 'x')


def test_class_by_the_path_it_had_before_it_moved():
    generator = dict(type='mmgan_lite.models.generators.mlp.MLPGenerator', latent_dim=3)
    assert check_parts(generator, 'x.pth')['type'] == 'mmgan_lite.MLPGenerator'
