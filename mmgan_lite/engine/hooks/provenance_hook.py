"""The provenance of a run, in a file and in each of its checkpoints."""

import hashlib
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.environment import git_state, machine, versions


@runtime_checkable
class _HasFingerprint(Protocol):
    """A data set that identifies its content."""

    def fingerprint(self) -> dict[str, Any]: ...


@HOOKS.register_module()
class ProvenanceHook(Hook):
    """Records command, config, versions, git and data of each start of a training.

    :class:`GANCheckpointHook` includes it.

    ``<work_dir>/provenance.json`` holds ``runs``, one entry for each start:

    - ``time``, ``command``, ``working_directory``, ``processes``, ``seed``;
    - ``config``, all of it as text, and ``config_sha256``;
    - ``versions`` and ``machine``, see :mod:`mmgan_lite.utils.environment`;
    - ``git``: commit, and whether files differ from it, of the ``working_directory`` and of the
      ``package``; None where there is no working tree;
    - ``data``: the training data's class, number of images and hash, where the dataset has a
      ``fingerprint()``, as those of mmgan_lite have; otherwise its class and number;
    - ``iteration`` that it starts from, and ``load_from`` of the config.

    The file is written atomically. Checkpoints carry the entries
    of all the starts that led to them, without ``config``, in ``meta['provenance']``.

    When a run is resumed, the log says which data, versions and code differ from those of the
    checkpoint: a warning for the data, which make it another training, a line for the rest.

    Example:
        >>> custom_hooks = [dict(type='ProvenanceHook')]
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._loaded: list[dict] = []
        self._entries: list[dict] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the entries of the runs before."""
        entries = checkpoint.get('meta', {}).get('provenance', [])
        self._loaded = entries if isinstance(entries, list) else []

    def before_train(self, runner: Runner) -> None:
        """Write the entry, and compare it with the last one of the checkpoint."""
        if not is_main_process():
            return
        config = runner.cfg.pretty_text
        entry = _entry(runner, config)
        if runner.iter > 0 and self._loaded:
            _compare(runner, self._loaded[-1], entry)
        else:
            self._loaded = []  # weights of another training, or none
        self._entries = [*self._loaded, entry]
        _append(runner, Path(runner.work_dir, 'provenance.json'), {**entry, 'config': config})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the entries into the checkpoint."""
        checkpoint['meta']['provenance'] = self._entries


def _entry(runner: Runner, config: str) -> dict[str, Any]:
    package = Path(__file__).parents[2]
    git = dict(working_directory=git_state(os.getcwd()))
    git['package'] = git_state(package, '__init__.py')
    dataset: Any = runner.train_dataloader.dataset
    if isinstance(dataset, _HasFingerprint):
        data = dataset.fingerprint()
    else:
        data = dict(dataset=type(dataset).__name__, count=len(dataset), sha256=None)
    return dict(
        time=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        command=list(sys.argv),
        working_directory=os.getcwd(),
        processes=get_world_size(),
        seed=runner.seed,
        config_sha256=hashlib.sha256(config.encode()).hexdigest(),
        versions=versions(),
        machine=machine(),
        git=git,
        data=data,
        iteration=runner.iter,
        load_from=runner.cfg.get('load_from'),
    )


def _compare(runner: Runner, before: dict, now: dict) -> None:
    """Log what differs from the run that is resumed."""
    if before.get('data') != now['data']:
        runner.logger.warning(
            f'The training data is not that of the checkpoint: {before.get("data")} then, '
            f'{now["data"]} now. Restore the old data to continue the same training.'
        )
    for key in ('versions', 'git'):
        if before.get(key) != now[key]:
            runner.logger.info(
                f'Resumed with other {key} than before: {before.get(key)} then, {now[key]} now.'
            )


def _append(runner: Runner, path: Path, entry: dict) -> None:
    """Add an entry to the file; a damaged file is renamed, not overwritten."""
    runs: list = []
    if path.exists():
        try:
            runs = list(json.loads(path.read_text())['runs'])
        except (KeyError, TypeError, ValueError) as error:
            aside = path.replace(path.with_name(f'{path.name}.damaged'))
            runner.logger.warning(
                f"'{path}' is damaged ({type(error).__name__}: {error}). It is now "
                f"'{aside.name}', and a new one begins."
            )
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(dict(runs=[*runs, entry]), indent=2))
