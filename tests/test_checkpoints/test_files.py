"""Checkpoints are written atomically, and read completely or refused."""

import errno
import hashlib
import os
import re
import time
import uuid
import zipfile

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from torch import nn

from mmgan_lite import checkpoints
from mmgan_lite.checkpoints import (
    find_damage,
    newest_checkpoint,
    no_code,
    read_checkpoint,
    write_checkpoint,
)
from mmgan_lite.engine.mmengine_compat import use_safe_loader


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a checkpoint of one number, a second after the one before."""
    clock = iter(range(1_000_000_000, 1_000_001_000))
    monkeypatch.setattr(time, 'time', lambda: next(clock))

    def write(name, value=1.0):
        path = tmp_path / name
        write_checkpoint(dict(state_dict=dict(weight=torch.full((300,), value))), path)
        return path

    return write


class Bomb:
    """Writes a file when it is unpickled without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.fixture
def mmengine_loader():
    """The loaders of MMEngine as they are, and again afterwards."""
    schemes = CheckpointLoader._schemes
    yield
    CheckpointLoader._schemes = schemes


class Toy(BaseModel):
    """One weight, for a Runner that knows nothing of this package."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, mode):
        return dict(loss=self.layer(torch.stack(inputs)).mean())


def toy_runner(work_dir, name, **settings):
    return Runner(
        model=Toy(),
        work_dir=str(work_dir),
        experiment_name=f'{name}_{uuid.uuid4().hex}',  # two may start in one second
        train_dataloader=dict(
            dataset=[dict(inputs=torch.ones(1))] * 4,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=2,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=settings.pop('max_epochs', 2)),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=dict(type='LinearLR'),
        default_scope='mmengine',
        **settings,
    )


@pytest.fixture
def old_checkpoint(tmp_path):
    """What a plain Runner of MMEngine wrote, its log history and numpy numbers included."""
    toy_runner(tmp_path / 'old', 'old').train()
    return tmp_path / 'old' / 'epoch_2.pth'


def test_a_checkpoint_comes_back_whole(tmp_path):
    write_checkpoint(dict(state_dict=dict(weight=torch.ones(2)), meta=dict(iter=3)), tmp_path / 'a')
    checkpoint = read_checkpoint(tmp_path / 'a')
    assert checkpoint['meta'] == dict(iter=3)
    assert torch.equal(checkpoint['state_dict']['weight'], torch.ones(2))
    assert find_damage(tmp_path / 'a') is None
    assert [path.name for path in tmp_path.iterdir()] == ['a']


def test_seal_is_the_comment_of_a_zip_file(write):
    path = write('iter_1.pth')
    assert torch.load(path, mmap=True, weights_only=True)['state_dict']['weight'].sum() == 300
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        comment = file.comment
    digest, when = re.fullmatch(
        rb'mmgan_lite sha256=(\w{64}) (time=01000000000.000)', comment
    ).groups()
    body = path.read_bytes().removesuffix(comment)
    assert hashlib.sha256(body + when).hexdigest() == digest.decode()


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but '.*none.pth' is none"):
        read_checkpoint(tmp_path / 'none.pth')
    assert find_damage(tmp_path / 'none.pth') == 'it is not there'


def test_each_cut_and_each_flipped_bit_is_found(write, tmp_path):
    data = write('iter_1.pth').read_bytes()
    bad = tmp_path / 'bad.pth'
    for length in [0, 1, 21, 22, 500, *range(len(data) - 130, len(data))]:
        bad.write_bytes(data[:length])
        assert find_damage(bad) is not None, length
    for position in [*range(0, len(data), 97), *range(len(data) - 130, len(data))]:
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        bad.write_bytes(flipped)
        assert find_damage(bad) is not None, position
        with pytest.raises(ValueError, match='is damaged'):
            read_checkpoint(bad)


def test_damage_of_a_file_without_seal(tmp_path):
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(300))), path)
    assert find_damage(path) is None
    data = bytearray(path.read_bytes())
    data[data.index(torch.ones(300).numpy().tobytes()) + 600] ^= 1
    path.write_bytes(data)
    assert re.fullmatch(r"the checksum of its part '.*data/0' is wrong", find_damage(path))


def test_every_flipped_bit_of_a_directory_of_names_is_told_or_harmless(tmp_path):
    """A zip file ends in the names of its parts, which a reader decodes."""
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(3))), path)
    data = bytearray(path.read_bytes())
    for position in range(data.index(b'PK\x01\x02'), len(data)):
        altered = data.copy()
        altered[position] ^= 0x80
        path.write_bytes(altered)
        assert find_damage(path) is None or isinstance(find_damage(path), str)


def test_newest_is_the_one_that_is_named(write, tmp_path):
    assert newest_checkpoint(tmp_path) is None
    paths = [write(f'iter_{number}.pth') for number in (9, 10)]
    assert newest_checkpoint(tmp_path) == paths[1]  # written last
    (tmp_path / 'last_checkpoint').write_text(str(paths[0]))
    assert newest_checkpoint(tmp_path) == paths[0]


def test_newest_in_a_folder_that_was_moved(write, tmp_path):
    path = write('iter_1.pth')
    write('iter_2.pth')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_1.pth')
    assert newest_checkpoint(tmp_path) == path


def test_newest_lies_where_it_is_named(write, tmp_path):
    (tmp_path / 'far').mkdir()
    (tmp_path / 'work').mkdir()
    older, newer = write('far/iter_1.pth'), write('far/iter_2.pth')
    (tmp_path / 'work' / 'last_checkpoint').write_text(str(newer))
    assert newest_checkpoint(tmp_path / 'work') == newer
    newer.write_bytes(b'')
    assert newest_checkpoint(tmp_path / 'work') == older


def test_newest_passes_over_what_is_damaged(write, tmp_path, capture_log):
    older, newer, newest = [write(f'iter_{number}.pth') for number in (1, 2, 3)]
    write('best_fid_iter_4.pth')
    write('iter_4-0123abcd.pth')
    (tmp_path / 'last_checkpoint').write_text(str(newest))
    newest.write_bytes(newest.read_bytes()[:-200])
    flipped = bytearray(newer.read_bytes())
    flipped[500] ^= 1
    newer.write_bytes(flipped)
    assert newest_checkpoint(tmp_path) == older
    assert f'{newest} is damaged: its end is missing' in capture_log()
    assert (
        f'{newer} is damaged: its checksum is wrong. The newest undamaged one is' in capture_log()
    )
    older.unlink()
    assert newest_checkpoint(tmp_path) is None
    assert 'No other is undamaged' in capture_log()


@pytest.fixture
def capture_log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmgan_lite.checkpoints.files.print_log', lambda text, **_: lines.append(text)
    )
    return lambda: '\n'.join(lines)


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_what_was_there_stays_if_writing_fails(write, tmp_path, monkeypatch, step):
    path = write('iter_1.pth')

    def fail(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match='No space left'):
        write('iter_1.pth', value=2.0)
    assert read_checkpoint(path)['state_dict']['weight'].sum() == 300
    assert [file.name for file in tmp_path.iterdir()] == ['iter_1.pth']


def test_a_damaged_file_is_told_from_one_with_code(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match=r"checkpoint '.*a.pth' is damaged, no file of torch, or"):
        read_checkpoint(tmp_path / 'a.pth')
    torch.save(dict(state_dict={}, meta=Bomb(tmp_path / 'ran')), tmp_path / 'b.pth')
    with pytest.raises(ValueError, match=r'names _?io.open, which could run code. Nothing of it'):
        read_checkpoint(tmp_path / 'b.pth')
    assert not (tmp_path / 'ran').exists()


def test_a_flipped_bit_is_found(tmp_path, mmengine_loader):
    """Torch by itself loads such a file, with another weight."""
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(weight=torch.full((64,), 3.0))), path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.full((64,), 3.0).numpy().tobytes()) + 7] ^= 1
    path.write_bytes(content)
    assert torch.load(path)['state_dict']['weight'][1] != 3.0
    use_safe_loader()
    for load in (read_checkpoint, CheckpointLoader.load_checkpoint):
        with pytest.raises(
            ValueError, match=r"a.pth' is damaged.* the checksum of its part 'a/data/0' is wrong"
        ):
            load(str(path))


def test_whoever_calls_torch_load_runs_no_code(tmp_path, monkeypatch):
    torch.save(Bomb(tmp_path / 'ran'), tmp_path / 'a.pth')
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with no_code(), pytest.raises(Exception, match='Weights only load failed'):
        torch.load(tmp_path / 'a.pth', weights_only=False)
    assert not (tmp_path / 'ran').exists()
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ
    torch.load(tmp_path / 'a.pth', weights_only=False)  # the bomb is one
    assert (tmp_path / 'ran').exists()


def test_a_checkpoint_of_mmengine_needs_the_flag(old_checkpoint):
    message = (
        r'names mmengine.logging.history_buffer.HistoryBuffer, .*Nothing of it was run. '
        r'If MMEngine wrote it without SafeCheckpointHook, pass --allow-mmengine-types'
    )
    with pytest.raises(ValueError, match=message):
        read_checkpoint(old_checkpoint)
    checkpoint = read_checkpoint(old_checkpoint, allow_mmengine_types=True)
    scalars = checkpoint['message_hub']['log_scalars']
    assert isinstance(scalars['train/loss'], HistoryBuffer)
    assert len(scalars['train/loss'].data[0]) == 4
    # All of it is what a load without restraint gives.
    free = torch.load(old_checkpoint, weights_only=False)
    assert checkpoint['meta'] == free['meta']
    assert checkpoint['state_dict'].keys() == free['state_dict'].keys()
    assert str(checkpoint['optimizer']) == str(free['optimizer'])


def test_the_flag_allows_nothing_else(tmp_path):
    torch.save(
        dict(state_dict={}, message_hub=[HistoryBuffer([1.0], [1]), Bomb(tmp_path / 'ran')]),
        tmp_path / 'a.pth',
    )
    with pytest.raises(ValueError, match=r'names _?io.open, which could run code'):
        read_checkpoint(tmp_path / 'a.pth', allow_mmengine_types=True)
    assert not (tmp_path / 'ran').exists()


def test_a_runner_resumes_a_checkpoint_of_mmengine_by_the_flag(
    old_checkpoint, tmp_path, mmengine_loader
):
    def resumed(name, **hook):
        hooks = dict(safe=dict(type='mmgan_lite.SafeCheckpointHook', **hook))
        settings = dict(default_hooks=hooks, load_from=str(old_checkpoint), resume=True)
        return toy_runner(tmp_path / name, name, max_epochs=3, **settings)

    with pytest.raises(
        ValueError, match='pass --allow-mmengine-types, or allow_mmengine_types=True'
    ):
        resumed('without').train()
    runner = resumed('with', allow_mmengine_types=True)
    runner.train()
    assert runner.epoch == 3
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 6
    read_checkpoint(tmp_path / 'with' / 'epoch_3.pth')  # written by the hook: plain


def test_former_names(old_checkpoint):
    with pytest.warns(FutureWarning, match='old_checkpoint is called allow_mmengine_types now'):
        read_checkpoint(old_checkpoint, old_checkpoint=True)
    with pytest.warns(FutureWarning, match='use_safe_loader is in mmgan_lite.engine.mmengine_c'):
        assert checkpoints.use_safe_loader is use_safe_loader
    with pytest.raises(AttributeError, match='has no attribute'):
        _ = checkpoints.nothing


@pytest.mark.parametrize('source', ['file', 'url'])
def test_mmengine_loads_without_running_code(source, tmp_path, monkeypatch, mmengine_loader):
    """From a URL MMEngine asks torch for weights_only=False."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    path = tmp_path / 'hub' / 'checkpoints' / 'bomb.pth'  # as if it had been downloaded
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=Bomb(tmp_path / 'ran')), path)
    name = str(path) if source == 'file' else 'https://example.org/bomb.pth'
    use_safe_loader()
    use_safe_loader()  # a second hook of a second run
    with pytest.raises(ValueError, match=r'bomb.pth. must hold tensors and plain values only'):
        CheckpointLoader.load_checkpoint(name, map_location='cpu')
    assert not (tmp_path / 'ran').exists()
    with pytest.raises(FileNotFoundError):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'none.pth'))
