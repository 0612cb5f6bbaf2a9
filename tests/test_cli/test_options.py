"""What the commands share."""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmgan_lite.cli.interpolate import main as interpolate
from mmgan_lite.cli.options import (
    add_allow_mmengine_types,
    check_file,
    check_folder,
    keeping_work_dir,
    make_folder,
    parse_labels,
    writing,
)
from mmgan_lite.cli.publish_model import main as publish_model
from mmgan_lite.cli.sample import main as sample
from mmgan_lite.inference import get_model

TRAIN = Path(__file__).resolve().parents[2] / 'tools' / 'train.py'


def test_config_by_name(command):
    assert "type='DigitsDataset'" in command('print-config', 'gan_mlp_digits-28x28').stdout


def test_unknown_config(command):
    result = command('print-config', 'gan_mlp_digit')
    assert "Did you mean 'gan_mlp_digits-28x28'?" in result.stderr


def test_a_file_that_is_no_config(command, tmp_path):
    file = tmp_path / 'iter_2.pth'
    file.touch()
    result = command('print-config', str(file))
    assert result.stderr.startswith('error: config must be a file that ends in .py, .json')
    assert repr(str(file)) in result.stderr


@pytest.mark.parametrize(
    'arguments',
    [
        ['train', 'config.py', '--work-dir', 'work'],
        ['test', 'config.py', 'a.pth', '--work-dir', 'work'],
        ['benchmark', 'config.py', '--data-only'],
        ['benchmark', 'config.py', '--runner-only'],
        ['browse-dataset', 'config.py'],
        ['train-extractor', '--out', 'a.safetensors'],
    ],
)
def test_wrong_data_root_is_one_line(arguments, repo, monkeypatch, tmp_path):
    from mmgan_lite.cli import main

    monkeypatch.chdir(tmp_path)
    Path('file').touch()
    Path('config.py').write_text(
        f'_base_ = {str(repo / "configs" / "gan" / "gan_mlp_mnist-28x28.py")!r}\n'
        'model = dict(generator=dict(hidden_dims=(8,)))\n'
    )
    torch.save(dict(state_dict=get_model('config.py').state_dict()), 'a.pth')
    monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *arguments, '--data-root', 'file'])
    with pytest.raises(SystemExit, match="^error: MNIST is not in 'file/MNIST/raw' and .*[.]$"):
        main()


@pytest.mark.parametrize(
    ('main', 'arguments'),
    [(sample, ['--num', '1', '--out', 'out']), (publish_model, ['out'])],
)
@pytest.mark.parametrize('config', ['gan_mlp_digits-28x28', 'my.py'])
def test_a_config_is_no_checkpoint(main, arguments, config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['command', config, *arguments])
    with pytest.raises(SystemExit, match=f"^error: CHECKPOINT is missing: '{config}' is a config"):
        main()


@pytest.mark.parametrize('command', ['print-config', 'train'])
def test_unknown_config_is_one_line(command, monkeypatch, capsys):
    from mmgan_lite.cli import main

    monkeypatch.setattr(sys, 'argv', ['mmgan-lite', command, 'gan_mlp_digit'])
    with pytest.raises(SystemExit, match="error: name must be .* got 'gan_mlp_digit'"):
        main()


def test_override_without_a_value(monkeypatch, capsys):
    from mmgan_lite.cli import main

    arguments = ['print-config', 'gan_mlp_digits-28x28', '--cfg-options', 'a=1', 'nope']
    monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *arguments])
    with pytest.raises(SystemExit):
        main()
    assert "argument --cfg-options: must be KEY=VALUE, got 'nope'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('main', 'arguments'),
    [
        (sample, ['no.pth', '--num', '1', '--out', 'out']),
        (interpolate, ['no.pth', '--out', 'out']),
        (publish_model, ['no.pth', 'out']),
    ],
)
@pytest.mark.parametrize('module', ['no_such_module', 'os.path.no', '.relative'])
def test_import_of_an_unknown_module(main, arguments, module, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    monkeypatch.setattr(sys, 'argv', ['command', *arguments, '--import', module])
    with pytest.raises(SystemExit) as error:
        main()
    told = str(error.value)
    assert told.startswith(
        f'error: --import must name modules that Python can import, got {module!r} ('
    )
    assert 'set PYTHONPATH' in told
    assert '\n' not in told
    assert sys.path == path
    assert list(tmp_path.iterdir()) == []


def test_folders_are_checked_before_they_are_made(tmp_path):
    file = tmp_path / 'file'
    file.touch()
    check_folder('--out', tmp_path / 'a' / 'b')
    check_file('--out', tmp_path / 'a' / 'b.json')
    assert list(tmp_path.iterdir()) == [file]
    for check in (check_folder, make_folder):
        with pytest.raises(SystemExit, match=f"got '{file}/b' .'{file}' is no folder"):
            check('--out', file / 'b')
    with pytest.raises(SystemExit, match='--out must be a file, but .* is a directory'):
        check_file('--out', tmp_path)
    make_folder('--work-dir', tmp_path / 'a' / 'b')
    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def test_work_dir_that_can_no_longer_be_written_to(tmp_path):
    """As after ``chmod`` while training; permissions do not bind the user root."""
    work_dir, other = tmp_path / 'work', PermissionError(13, 'Permission denied', str(tmp_path))
    lost = PermissionError(13, 'Permission denied', str(work_dir / 'vis_data' / 'scalars.json'))
    with pytest.raises(SystemExit) as end, keeping_work_dir(str(work_dir)):
        raise lost
    assert str(end.value).startswith('error: work_dir must be writable as long as training runs')
    assert str(end.value).endswith('then go on by --resume.')
    with pytest.raises(PermissionError) as error, keeping_work_dir(str(work_dir)):
        raise other
    assert error.value is other


def test_error_of_the_file_system_is_one_line(tmp_path):
    with pytest.raises(SystemExit) as error, writing('--out', 'there'):
        raise OSError(28, 'No space left on device', 'there/a.png')
    assert str(error.value) == (
        "error: --out must be a writable path, got 'there' ([Errno 28] No space left on "
        "device: 'there/a.png'). Pass a folder with write permission and free space."
    )


@pytest.mark.parametrize(
    ('flags', 'allowed', 'message'),
    [
        ([], False, ''),
        (['--allow-mmengine-types'], True, ''),
        (['--old-checkpoint'], True, '--old-checkpoint is called --allow-mmengine-types now.\n'),
    ],
)
def test_flag_for_checkpoints_of_mmengine(flags, allowed, message, capsys):
    parser = argparse.ArgumentParser()
    add_allow_mmengine_types(parser)
    assert parser.parse_args(flags).allow_mmengine_types == allowed
    assert capsys.readouterr().err == message


def test_labels():
    assert parse_labels('3, -7,cat', 10) == [3, -7, 'cat']
    assert parse_labels('all', 3) == [0, 1, 2]
    assert parse_labels('\u00b2', 10) == ['\u00b2']  # a digit, but no number to int()


def test_one_folder_for_all_data(command):
    told = command('print-config', 'dcgan_mnist-28x28', '--data-root', '/elsewhere').stdout
    assert told.count("data_root='/elsewhere'") == told.count('data_root') == 5
    # What is said of one dataset in particular counts more.
    options = ('--cfg-options', 'train_dataloader.dataset.data_root=/there')
    arguments = ('print-config', 'dcgan_mnist-28x28', '--data-root', '/elsewhere', *options)
    assert "data_root='/there'" in command(*arguments).stdout
    result = command('print-config', 'gan_mlp_digits-28x28', '--data-root', '/elsewhere')
    assert 'data_root needs a dataset with a data_root in the config, got none' in result.stderr


def free_port():
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        return str(unused.getsockname()[1])


def slurm(rank):
    """What srun tells a process, of two on one machine."""
    ids = dict(SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank), SLURM_NTASKS='2')
    return dict(ids, SLURM_NODELIST='localhost')


def mpi(rank):
    """What Open MPI's mpirun tells a process, of two on one machine."""
    told = dict(RANK=str(rank), LOCAL_RANK=str(rank), SIZE='2', LOCAL_SIZE='2')
    return {f'OMPI_COMM_WORLD_{name}': value for name, value in told.items()}


def train(launcher, folder):
    options = ('train_cfg.max_iters=2', 'model.generator.hidden_dims=(16,16)')
    config = ('gan_mlp_digits-28x28', '--work-dir', folder / 'work')
    return [*config, '--launcher', launcher, '--cfg-options', *options]


def check(out, folder):
    assert out.count('2 processes on CPUs, connected through gloo') == 1
    assert (folder / 'work' / 'iter_2.pth').is_file()
    assert (folder / 'work' / 'samples' / 'samples_iter-00000002.png').is_file()


def test_train_by_torchrun(torchrun, tmp_path):
    check(torchrun(TRAIN, *train('pytorch', tmp_path), cwd=tmp_path), tmp_path)


@pytest.mark.parametrize('launcher', [slurm, mpi])
def test_train_by_slurm_and_mpi(launcher, tmp_path):
    arguments = map(str, train(launcher.__name__, tmp_path))
    command, port = [sys.executable, str(TRAIN), *arguments], free_port()
    started = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **launcher(rank), 'MASTER_PORT': port},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        outs = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], '\n'.join(outs)[-5000:]
    check(''.join(outs), tmp_path)
