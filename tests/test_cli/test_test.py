"""Testing a checkpoint from the command line."""

METRIC = """
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

@METRICS.register_module()
class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)
    def compute_metrics(self, results):
        return dict(fakes=len(results))
"""

CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['count_metric'])
test_dataloader = dict(
    batch_size=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmgan_lite.image_collate'),
    dataset=dict(type='DigitsDataset', indices=7))
test_cfg = dict()
test_evaluator = dict(type='Count')
"""


def test_metrics_of_a_checkpoint(tool, trained, monkeypatch, tmp_path):
    (tmp_path / 'count_metric.py').write_text(METRIC)
    config = tmp_path / 'with_test.py'
    config.write_text(CONFIG.format(base=str(trained / 'gan_mlp_digits-28x28_conditional.py')))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=':')
    result = tool('test', config, trained / 'iter_2.pth', '--work-dir', tmp_path / 'work')
    assert 'fakes: 7' in result.stdout


def test_config_without_a_test_loop(command):
    result = command('test', 'gan_mlp_digits-28x28', 'none.pth')
    assert 'the config has no test_dataloader, test_cfg, test_evaluator' in result.stderr
