"""Values stay on the device until somebody reads them."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from mmgan_lite.engine.hooks import DeferredHistory


def test_statistics_are_those_of_mmengine():
    values = [3.0, -1.0, 2.5, 7.0]
    ours, theirs = DeferredHistory(), HistoryBuffer()
    for value in values:
        ours.append(torch.tensor(value))
        theirs.update(value)
    for method, window in (('mean', 2), ('mean', None), ('min', 3), ('max', 2)):
        assert getattr(ours, method)(window) == getattr(theirs, method)(window)
    assert ours.current() == 7.0
    assert ours.statistics('mean') == theirs.mean()


def test_current_is_the_newest_of_what_is_pending():
    history = DeferredHistory()
    with pytest.raises(ValueError, match='empty'):
        history.current()
    history.append(torch.tensor(2.0))
    history.update(3.0)
    assert history.current() == 3.0
    assert len(history._pending) == 2  # a number is answered without reading the rest


def test_numbers_and_tensors_keep_their_order():
    history = DeferredHistory([1.0], [1])
    history.append(torch.tensor([2.0], requires_grad=True))
    history.update(3.0)
    history.update(8.0, count=2)
    log, count = history.data
    assert log.tolist() == [1, 2, 3, 8]
    assert count.tolist() == [1, 1, 1, 2]


def test_bound_holds_whoever_reads_or_not():
    history = DeferredHistory(max_length=10)
    for step in range(95):
        history.append(torch.tensor(float(step)))
        assert len(history._pending) < 20
    assert history.data[0].tolist() == list(range(85, 95))
    history.append(1.0)
    assert len(history.data[0]) == len(history.data[1]) == 10


def test_pickle_holds_numbers():
    history = DeferredHistory()
    history.append(torch.tensor(0.5))
    read = pickle.loads(pickle.dumps(history))
    assert isinstance(read.data[0], np.ndarray)
    assert read.mean() == 0.5


def test_vector_is_refused():
    with pytest.raises(ValueError, match=r'must be a scalar, got shape=\(2,\). Log its mean'):
        DeferredHistory().append(torch.zeros(2))


@pytest.fixture
def counted_reads(monkeypatch):
    """Iterations at whose end the values had been read."""
    reads = []
    settle = DeferredHistory.settle

    def counting(self):
        if self._pending:
            reads.append(len(self._pending))
        settle(self)

    monkeypatch.setattr(DeferredHistory, 'settle', counting)
    return reads


def test_training_reads_only_when_it_prints(repo, shrunk_config, counted_reads):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', iterations=9)
    cfg.default_hooks.logger.interval = 4
    cfg.default_hooks.checkpoint = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    # After iterations 4 and 8, which are printed; nobody has asked for the ninth. Two losses and
    # two times as means of the window; the times became such histories after the first iteration.
    # Of logits and rates the newest value is printed, a number here, which is no reason to read.
    assert counted_reads == [3, 4, 4, 3, 4, 4, 4, 4]
    history = runner.message_hub.get_scalar('train/loss_disc')
    assert len(history.data[0]) == 9
    assert np.isfinite(history.data[0]).all()


def test_history_goes_on_after_resume(repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', iterations=2)
    first = Runner.from_cfg(cfg)
    first.train()
    begun = first.message_hub.get_scalar('train/loss_gen').data[0]
    cfg.resume, cfg.train_cfg.max_iters = True, 4
    cfg.experiment_name += '_resumed'
    second = Runner.from_cfg(cfg)
    second.train()
    whole = second.message_hub.get_scalar('train/loss_gen').data[0]
    assert whole[:2].tolist() == begun.tolist()
    assert len(whole) == 4


def test_tensor_is_kept_on_a_device_alone():
    history = DeferredHistory()
    history.append(torch.tensor(0.5))
    history.append(torch.zeros((), device='meta'))  # has no number to tell
    kept, deferred = history._pending
    assert isinstance(kept, float)
    assert isinstance(deferred, torch.Tensor)
