"""The file of evaluations, written by real validation and test loops."""

import json
import math
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator

from mmgan_lite.engine.hooks import EvaluationLogHook
from mmgan_lite.evaluation.report import Report, Score

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
    from mmengine.config import Config

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
    assert ('EvaluationLogHook: part of DeferredLogHook now.' in log) == alone
