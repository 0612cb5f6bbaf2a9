"""Run a config's test loop on a checkpoint.

Example: mmgan-lite test my_config.py work_dirs/my_config/iter_8000.pth
"""

import argparse
from pathlib import Path

from mmengine.runner import Runner

from mmgan_lite.cli.options import add_config, add_launcher, load_config, set_launcher


def main() -> None:
    """Build the Runner from the config and test; metrics are printed and lie in the work dir."""
    parser = argparse.ArgumentParser(description="Run a config's test loop on a checkpoint.")
    add_config(parser)
    parser.add_argument('checkpoint', help='path of a checkpoint that training wrote')
    add_launcher(parser)
    parser.add_argument('--work-dir', help="where the log goes (default: the config's work_dir)")
    args = parser.parse_args()
    cfg = load_config(args)
    missing = [key for key in ('test_dataloader', 'test_cfg', 'test_evaluator') if key not in cfg]
    if missing:
        parser.error(f'the config has no {", ".join(missing)}: add them to test with it')
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    cfg.load_from, cfg.resume = args.checkpoint, False
    set_launcher(cfg, args)
    Runner.from_cfg(cfg).test()
