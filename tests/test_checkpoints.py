"""Files of trainings are read whole, or refused."""

import os
import uuid

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from torch import nn

from mmgan_lite.checkpoints import no_code, read_checkpoint, use_safe_loader


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
    torch.save(dict(state_dict=dict(weight=torch.ones(2)), meta=dict(iter=3)), tmp_path / 'a.pth')
    checkpoint = read_checkpoint(tmp_path / 'a.pth')
    assert checkpoint['meta'] == dict(iter=3)
    assert torch.equal(checkpoint['state_dict']['weight'], torch.ones(2))


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but '.*none.pth' is none"):
        read_checkpoint(tmp_path / 'none.pth')


def test_a_damaged_file_is_told_from_one_with_code(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match=r"checkpoint '.*a.pth' is damaged, no file of torch, or"):
        read_checkpoint(tmp_path / 'a.pth')
    torch.save(dict(state_dict={}, meta=Bomb(tmp_path / 'ran')), tmp_path / 'b.pth')
    with pytest.raises(ValueError, match=r'names io.open, which could run code. Nothing of it'):
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
            ValueError, match=r"a.pth' is damaged.* the checksum of 'a/data/0' in it"
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


def test_an_old_checkpoint_needs_the_flag(old_checkpoint):
    message = (
        r'names mmengine.logging.history_buffer.HistoryBuffer, .*Nothing of it was run. '
        r'If MMEngine wrote it without SafeCheckpointHook, pass --old-checkpoint'
    )
    with pytest.raises(ValueError, match=message):
        read_checkpoint(old_checkpoint)
    checkpoint = read_checkpoint(old_checkpoint, old_checkpoint=True)
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
    with pytest.raises(ValueError, match=r'names io.open, which could run code'):
        read_checkpoint(tmp_path / 'a.pth', old_checkpoint=True)
    assert not (tmp_path / 'ran').exists()


def test_a_runner_resumes_an_old_checkpoint_by_the_flag(old_checkpoint, tmp_path, mmengine_loader):
    def resumed(name, **hook):
        hooks = dict(safe=dict(type='mmgan_lite.SafeCheckpointHook', **hook))
        settings = dict(default_hooks=hooks, load_from=str(old_checkpoint), resume=True)
        return toy_runner(tmp_path / name, name, max_epochs=3, **settings)

    with pytest.raises(ValueError, match='pass --old-checkpoint, or old_checkpoint=True'):
        resumed('without').train()
    runner = resumed('with', old_checkpoint=True)
    runner.train()
    assert runner.epoch == 3
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 6
    read_checkpoint(tmp_path / 'with' / 'epoch_3.pth')  # written by the hook: plain


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
