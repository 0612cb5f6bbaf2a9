"""The tools as a user types them, from a directory that is not the repo."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(scope='module')
def tool(request, tmp_path_factory):
    """Run a tool in an empty directory; returns the finished process."""
    repo = request.path.parents[2]
    cwd = tmp_path_factory.mktemp('elsewhere')

    def run(name, *arguments, check=True):
        command = [sys.executable, str(repo / 'tools' / f'{name}.py'), *map(str, arguments)]
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
        assert not check or result.returncode == 0, result.stderr
        return result

    run.cwd, run.configs = cwd, repo / 'configs' / 'gan'
    return run


@pytest.fixture(scope='module')
def trained(tool):
    """A conditional GAN after two iterations, in the work dir that the config names."""
    tool(
        'train',
        tool.configs / 'gan_mlp_digits-28x28_conditional.py',
        '--seed',
        7,
        '--cfg-options',
        'train_cfg.max_iters=2',
        'model.generator.hidden_dims=(16,16)',
    )
    return tool.cwd / 'work_dirs' / 'gan_mlp_digits-28x28_conditional'


def test_train_writes_where_the_config_says(trained):
    assert (trained / 'iter_2.pth').is_file()
    assert (trained / 'samples' / 'training.gif').is_file()
    dump = (trained / 'gan_mlp_digits-28x28_conditional.py').read_text()
    assert 'randomness = dict(seed=7)' in dump


def test_resume_finds_the_newest_checkpoint(tool, trained):
    options = ('train_cfg.max_iters=3', 'model.generator.hidden_dims=(16,16)')
    config = tool.configs / 'gan_mlp_digits-28x28_conditional.py'
    tool('train', config, '--resume', '--cfg-options', *options)
    assert torch.load(trained / 'iter_3.pth')['meta']['iter'] == 3
    # From a file that is named, into another directory.
    other = tool.cwd / 'other'
    arguments = ('--resume', trained / 'iter_2.pth', '--work-dir', other)
    tool('train', config, *arguments, '--cfg-options', *options)
    assert torch.load(other / 'iter_3.pth')['meta']['iter'] == 3


def test_scheduler_that_lacks_a_network(tool, tmp_path):
    base = tool.configs / 'gan_mlp_digits-28x28.py'
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(base)!r}\nparam_scheduler = dict(_delete_=True, generator=[])\n'
    )
    result = tool('train', config, check=False)
    assert result.returncode != 0
    assert "param_scheduler has no entry for 'discriminator'" in result.stderr


class TestSample:
    def draw(self, tool, trained, out, *arguments, check=True):
        config = trained / 'gan_mlp_digits-28x28_conditional.py'
        return tool('sample', config, trained / 'iter_2.pth', '--out', out, *arguments, check=check)

    def test_png(self, tool, trained, tmp_path):
        self.draw(tool, trained, tmp_path / 'new', '--num', 12, '--labels', '3,7')
        files = sorted(path.name for path in (tmp_path / 'new').iterdir())
        assert files == [*(f'{i:05d}.png' for i in range(12)), 'grid.png']
        assert Image.open(tmp_path / 'new' / '00000.png').size == (28, 28)
        assert Image.open(tmp_path / 'new' / '00000.png').mode == 'L'
        # Two columns, one a class, of 28 pixels and borders of 2.
        assert Image.open(tmp_path / 'new' / 'grid.png').size == (2 * 30 + 2, 6 * 30 + 2)

    def test_npz_holds_the_pixels_of_the_png(self, tool, trained, tmp_path):
        self.draw(tool, trained, tmp_path, '--num', 11, '--labels', 'all')
        self.draw(tool, trained, tmp_path, '--num', 3, '--labels', 'all', '--format', 'npz')
        with np.load(tmp_path / 'samples.npz') as arrays:
            assert arrays['images'].dtype == np.uint8
            assert arrays['images'].shape == (3, 28, 28, 1)
            assert arrays['labels'].tolist() == [0, 1, 2]
            for index, image in enumerate(arrays['images']):
                png = np.asarray(Image.open(tmp_path / f'{index:05d}.png'))
                assert np.array_equal(image[:, :, 0], png)

    def test_seed_and_weights_decide_the_images(self, tool, trained, tmp_path):
        images = {}
        for name, options in dict(
            first=(), again=('--seed', 0), other=('--seed', 1), last=('--no-ema',)
        ).items():
            self.draw(tool, trained, tmp_path / name, '--num', 2, '--format', 'npz', *options)
            with np.load(tmp_path / name / 'samples.npz') as arrays:
                images[name] = arrays['images']
        assert np.array_equal(images['first'], images['again'])
        assert not np.array_equal(images['first'], images['other'])
        assert not np.array_equal(images['first'], images['last'])

    def test_bad_arguments(self, tool, trained, tmp_path):
        result = self.draw(tool, trained, tmp_path, '--num', 2, '--labels', '3,x', check=False)
        assert "--labels must be ints like 3,7, or 'all', got '3,x'" in result.stderr


def test_print_config(tool):
    config = tool.configs / 'gan_mlp_mnist-28x28.py'
    out = tool('print_config', config, '--cfg-options', 'model.generator.latent_dim=64').stdout
    assert 'latent_dim=64' in out
    assert "type='MNISTDataset'" in out
    assert '_base_' not in out
