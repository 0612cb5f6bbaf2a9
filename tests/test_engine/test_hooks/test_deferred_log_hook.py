"""Values stay on the device until somebody reads them."""

import json
import math
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.hooks import IterTimerHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import Runner

from mmgan_lite.engine.hooks import DeferredHistory, DeferredLogHook, EvaluationLogHook
from mmgan_lite.evaluation.report import Report, Score


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


def test_a_validation_is_no_part_of_the_next_iteration():
    timer, hub = IterTimerHook(), MessageHub.get_instance('timer')
    timer.t = 0.0  # MMEngine sets it after the last batch of the validation, before its scores
    runner = SimpleNamespace(hooks=[timer], message_hub=hub)
    DeferredLogHook().after_val(runner)
    timer.before_train_iter(runner, 0)
    assert hub.get_scalar('train/data_time').current() < 1e6  # and not since 1970


def test_tensor_is_kept_on_a_device_alone():
    history = DeferredHistory()
    history.append(torch.tensor(0.5))
    history.append(torch.zeros((), device='meta'))  # has no number to tell
    kept, deferred = history._pending
    assert isinstance(kept, float)
    assert isinstance(deferred, torch.Tensor)


REPORT = Report(
    scores=[Score('FID[pixels]', 3.5, 0.25, dict(k=2))],
    extractor='pixels',
    extractor_sha256='0' * 64,
    num_features=4,
    num_fakes=12,
    weights='EMA',
    real_data='Noise test',
    num_reals=12,
    baseline='halves',
)


class FixedEvaluator(Evaluator):
    """Sees nothing and always answers the same."""

    def __init__(self, report, metrics):
        super().__init__([])
        self.answer = metrics
        if report is not None:
            self.report = report

    def process(self, data_samples, data_batch=None):
        pass

    def evaluate(self, size):
        return self.answer


def run(make_runner, fake_gan, fake_dataset, report, metrics, alone=True, **settings):
    model = fake_gan()
    model.val_step = model.test_step = lambda data: [{}]
    loader = dict(dataset=fake_dataset(), sampler=dict(type='DefaultSampler'), batch_size=4)
    return make_runner(
        model,
        [EvaluationLogHook()] if alone else [],
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=FixedEvaluator(report, metrics),
        test_dataloader=loader,
        test_cfg=dict(),
        test_evaluator=FixedEvaluator(report, metrics),
        **settings,
    )


def lines(runner):
    text = Path(runner.log_dir, 'evaluations.jsonl').read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_validations_come_with_iteration_and_protocol(make_runner, fake_gan, fake_dataset):
    train_cfg = dict(by_epoch=False, max_iters=4, val_interval=2)
    metrics = {'FID[pixels]': 3.5, 'Count/n': 12}
    runner = run(make_runner, fake_gan, fake_dataset, REPORT, metrics, train_cfg=train_cfg)
    runner.train()
    found = lines(runner)
    assert [(entry['loop'], entry['iteration']) for entry in found] == [('val', 2), ('val', 4)]
    assert found[0]['scores'] == {
        'FID[pixels]': dict(value=3.5, real_score=0.25, settings=dict(k=2)),
        'Count/n': dict(value=12),
    }
    assert found[0]['protocol'] == REPORT.to_dict()['protocol']


def test_epochs_are_told_in_iterations(make_runner, fake_gan, fake_dataset):
    train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    runner = run(make_runner, fake_gan, fake_dataset, None, dict(n=1.0), train_cfg=train_cfg)
    runner.train()
    # 12 images in batches of 4
    assert [entry['iteration'] for entry in lines(runner)] == [3, 6]
    assert lines(runner)[0]['protocol'] is None


def test_a_test_names_its_checkpoint_and_builds_no_training(
    make_runner, fake_gan, fake_dataset, tmp_path
):
    torch.save(dict(state_dict=fake_gan().state_dict()), tmp_path / 'some.pth')
    metrics = {'broken': math.nan, 'counts': torch.tensor([1, 2])}
    runner = run(
        make_runner, fake_gan, fake_dataset, None, metrics, load_from=str(tmp_path / 'some.pth')
    )
    runner.test()
    (entry,) = lines(runner)
    assert (entry['loop'], entry['iteration']) == ('test', None)
    assert entry['checkpoint'] == str(tmp_path / 'some.pth')
    assert math.isnan(entry['scores']['broken']['value'])
    assert entry['scores']['counts']['value'] == 'tensor([1, 2])'
    assert isinstance(runner._train_loop, dict)


def test_shipped_configs_have_it_and_count_metrics_in_iterations(repo):
    hooks = Config.fromfile(repo / 'configs' / '_base_' / 'default_runtime.py').default_hooks
    assert len(hooks) <= 10
    assert hooks.runtime_info.type == 'DeferredLogHook'
    # By epochs, MMEngine writes all metrics of an iteration-based training at step 0.
    assert hooks.logger.log_metric_by_epoch is False


@pytest.mark.parametrize('alone', [False, True])
def test_as_a_part_of_the_log_hook(make_runner, fake_gan, fake_dataset, alone):
    """And beside it in an older config: one line an evaluation either way."""
    default_hooks = dict(runtime_info=dict(type='DeferredLogHook'))
    runner = run(
        make_runner, fake_gan, fake_dataset, REPORT, {}, alone, default_hooks=default_hooks
    )
    runner.val()
    assert len(lines(runner)) == 1
    log = next(Path(runner.log_dir).rglob('*.log')).read_text()
    assert ('EvaluationLogHook is part of DeferredLogHook' in log) == alone
