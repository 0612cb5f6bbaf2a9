"""Run a config's test loop on a checkpoint.

Example: mmgan-lite test my_config.py work_dirs/my_config/iter_8000.pth --out scores.json
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from mmgan_lite.cli import options
from mmgan_lite.evaluation import GANEvaluator
from mmgan_lite.inference import get_model
from mmgan_lite.utils.atomic_io import atomic_write


def set_num_samples(cfg: Config, num_samples: int) -> None:
    """Set the number of fakes in the data loader and in the evaluator.

    Raises:
        ValueError: If the evaluator is no ``GANEvaluator``.
    """
    evaluator = cfg.test_evaluator
    name = evaluator.get('type', '') if isinstance(evaluator, Mapping) else ''
    if name.rpartition('.')[2] != 'GANEvaluator':
        found = name or type(evaluator).__name__
        text = f'--num-samples needs a GANEvaluator as test_evaluator, got {found}.'
        raise ValueError(f'{text} Choose the number by the data set instead.')
    evaluator.num_samples = num_samples
    cfg.test_dataloader.sampler = dict(type='mmgan_lite.RepeatingSampler', num_samples=num_samples)


def summarize(metrics: Mapping[str, Any], evaluator: Evaluator, args: argparse.Namespace) -> dict:
    """The content of the file: scores, protocol, config and checkpoint."""
    summary: dict[str, Any] = dict(scores={}, protocol=None)
    if isinstance(evaluator, GANEvaluator) and evaluator.report is not None:
        summary = evaluator.report.to_dict()
    for name, value in metrics.items():
        summary['scores'].setdefault(name, dict(value=value))
    return dict(config=args.config, checkpoint=args.checkpoint, **summary)


def main() -> None:
    """Build the Runner from the config and test; scores are printed and saved in the work dir."""
    parser = argparse.ArgumentParser(description="Run a config's test loop on a checkpoint.")
    options.add_run(parser)
    add = parser.add_argument
    add('checkpoint', help='path of a checkpoint that training wrote')
    text = 'how many images to draw (default: as many as real ones)'
    add('--num-samples', type=options.positive_int, metavar='N', help=text)
    add('--out', type=Path, metavar='FILE.json', help='write the scores, with their protocol')
    args = parser.parse_args()
    if args.out is not None:
        options.check_file('--out', args.out)
    cfg = options.load_run(args)
    missing = [key for key in ('test_dataloader', 'test_cfg', 'test_evaluator') if key not in cfg]
    if missing:
        parser.error(f'the config has no {", ".join(missing)}: add them to test with it')
    with options.reporting(parser.error):
        if args.num_samples is not None:
            set_num_samples(cfg, args.num_samples)
        # Of another model's checkpoint the Runner would load what fits, and say little of the rest.
        get_model(cfg, args.checkpoint, allow_mmengine_types=args.allow_mmengine_types)
    cfg.load_from, cfg.resume = args.checkpoint, False
    options.start_run(cfg, args)
    runner = Runner.from_cfg(cfg)
    with options.reporting(errors=options.DATA_ERRORS):
        _ = runner.test_loop  # built here, with its data
    metrics = runner.test()
    if args.out is not None and is_main_process():
        summary = summarize(metrics, runner.test_loop.evaluator, args)
        with options.writing('--out', args.out), atomic_write(args.out) as temporary:
            temporary.write_text(json.dumps(summary, indent=2) + '\n')
