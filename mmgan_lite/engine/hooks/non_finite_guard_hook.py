"""A training with numbers that are not finite: steps skipped, rolled back or ended; never saved."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, broadcast_object_list, get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner, get_state_dict
from torch import Tensor, nn

from mmgan_lite.checkpoints import newest_checkpoint, read_checkpoint
from mmgan_lite.engine.hooks.common import non_finite, read_numbers
from mmgan_lite.engine.mmengine_compat import named_wrappers
from mmgan_lite.engine.optimizers.gan_optim_wrapper import GANOptimWrapper
from mmgan_lite.engine.optimizers.multi_optim_wrapper import trained_networks
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.interfaces import HasPlayers, unwrap_model
from mmgan_lite.utils.validation import check_positive

_STATE = 'non_finite_guard'
_REMEDY = (
    'Lower the learning rates, clip the gradients (clip_grad=dict(max_norm=1.0)), or let '
    'guard=dict(max_skips=10, max_rollbacks=3) of GANHealthHook continue automatically.'
)

# Names and values of what one iteration logged.
Terms = Mapping[str, Any]

# Its iteration, and what was not finite in which network.
Failure = tuple[int, str]


@HOOKS.register_module()
class NonFiniteGuardHook(Hook):
    """Checks for NaN and infinity; ends the training, or skips steps and rolls back.

    :class:`GANHealthHook` includes it.

    Without arguments the first term that is not finite ends the training, by an error that names
    the network and the term. With ``max_skips`` steps are left out instead: one whose loss or
    gradients are not finite changes neither weights nor optimizer, average or statistics. When
    they are used up, or without them, ``max_rollbacks`` goes back to the newest checkpoint:
    weights, average and optimizers are as they were then, the learning rates are multiplied by
    ``lr_factor``, and all skips may be made again. Iterations, schedules, log and data go on: the
    iterations since that checkpoint are not repeated.

    No checkpoint is written that holds NaN or infinity.

    Terms are read in each iteration on a CPU, where that is free, and every ``interval`` iterations
    on a GPU or in several processes, and before each checkpoint. With ``max_skips`` each step waits
    for the device, once.

    Counts of skips and rollbacks are in checkpoints.

    Args:
        max_skips: Iterations in which a step may be left out, 0 or more, since the beginning or
            the last rollback.
        max_rollbacks: How often the training may go back to a checkpoint, 0 or more.
        lr_factor: Factor of the learning rates at a rollback, in (0, 1); of all networks, beside
            any schedule.
        interval: Iterations from one read to the next where reading makes the CPU wait, at least 1.

    Raises:
        ValueError: If an argument is out of its range. Before training: if it needs a
            ``GANOptimWrapper``, or does not work with ``cuda_graph=True``.
        FloatingPointError: When the training is no longer finite, and may not go on.

    Example:
        >>> default_hooks = dict(
        ...     health=dict(type='GANHealthHook', guard=dict(max_skips=10, max_rollbacks=3)))
    """

    # After the log has taken the values in, before samples are drawn and checkpoints written.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self, max_skips: int = 0, max_rollbacks: int = 0, lr_factor: float = 0.5, interval: int = 50
    ) -> None:
        self.max_skips = check_positive('max_skips', max_skips, minimum=0)
        self.max_rollbacks = check_positive('max_rollbacks', max_rollbacks, minimum=0)
        if not isinstance(lr_factor, float) or not 0 < lr_factor < 1:
            raise ValueError(f'lr_factor must lie in (0, 1), got {lr_factor!r}. Pass 0.5.')
        self.lr_factor = lr_factor
        self.interval = check_positive('interval', interval)
        self._skips = self._rollbacks = 0
        self._every = interval
        self._pending: list[tuple[int, Terms]] = []
        self._guards: dict[str, Any] = {}
        self._scaled: set[str] = set()
        self._savers: list[CheckpointHook] = []

    def before_train(self, runner: Runner) -> None:
        """Continue the counts of a resumed run, and set up the optim wrappers.

        Raises:
            ValueError: If the optim wrappers or the model do not fit the arguments.
        """
        state = runner.message_hub.get_info(_STATE, {})
        self._skips, self._rollbacks = state.get('skips', 0), state.get('rollbacks', 0)
        on_cpu = next(runner.model.parameters()).device.type == 'cpu'
        self._every = 1 if on_cpu and get_world_size() == 1 else self.interval
        savers = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        self._savers = [hook for hook in savers if hook.interval > 0]
        self._pending.clear()
        self._set_up(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Count the steps that were left out, check the logged terms, and act.

        Raises:
            FloatingPointError: If the training may not go on.
        """
        iteration = runner.iter + 1
        outputs = outputs or {}
        skipped = [name for name, guard in self._guards.items() if guard.num_skipped > 0]
        if skipped:
            self._skip(runner, iteration, skipped)
        elif self._every > 1 or not all(map(math.isfinite, filter(_is_scalar, outputs.values()))):
            self._pending.append((iteration, outputs))
        saves = self._saves(runner, batch_idx)
        # Several processes read together, whatever each of them has.
        if saves or (iteration % self._every == 0 and (self._pending or self._every > 1)):
            failure = self._read_pending(runner, saves)
            if failure is not None:
                self._act(runner, failure)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to write what is not finite.

        Raises:
            FloatingPointError: If a weight, or a number of an optimizer, is not.
        """
        if bad := non_finite({key: checkpoint.get(key) for key in ('state_dict', 'optimizer')}):
            raise FloatingPointError(
                f'A checkpoint must hold finite numbers, got NaN or infinity in {len(bad)} '
                f'tensors, the first of them {bad[0]!r}. It was not written. {_REMEDY} A buffer '
                'that is meant to hold infinity can stay out by persistent=False.'
            )

    def _set_up(self, runner: Runner) -> None:
        """Set up the optim wrappers by the counts."""
        model = unwrap_model(runner.model)
        if self.max_skips and isinstance(model, HasPlayers) and model.cuda_graph:
            raise ValueError(
                f'max_skips must be 0 with cuda_graph=True, got {self.max_skips}: a recorded step '
                'cannot be left out. Set max_skips=0, or cuda_graph=False.'
            )
        networks = trained_networks(model)
        wrappers = named_wrappers(runner.optim_wrapper)
        played = [name for name in networks if name in wrappers]  # in order of play
        for name in dict.fromkeys([*played, *wrappers]):
            wrapper = wrappers[name]
            if isinstance(wrapper, GANOptimWrapper):
                if wrapper.scaler is not None:
                    # Gradients of a scaled loss overflow now and then, which their scaler handles.
                    self._scaled.add(f'grad_norm_{name}')
                if self._rollbacks:
                    wrapper.lr_factor = self.lr_factor**self._rollbacks
                if self.max_skips:
                    self._guards[name] = wrapper.guard_steps(networks.get(name, model))
            elif self.max_skips or self.max_rollbacks or self._rollbacks:
                raise ValueError(
                    'max_skips and max_rollbacks need a GANOptimWrapper, got '
                    f'{type(wrapper).__name__} for {name!r}. Leave type out of its entry, or set '
                    'both to 0.'
                )
        self._save_state(runner)

    def _skip(self, runner: Runner, iteration: int, networks: Sequence[str]) -> None:
        first = networks[0]
        reason = self._guards[first].reason
        for guard in self._guards.values():
            guard.num_skipped = 0
        self._skips += 1
        if self._skips > self.max_skips:
            reason += f' is not finite, after {self.max_skips} iterations left out (max_skips)'
            self._act(runner, (iteration, f'{reason} ({first})'))
            return
        runner.logger.warning(
            f'Iteration {iteration}: the step of the {" and of the ".join(networks)} was left out '
            f'({self._skips} of {self.max_skips}), because {reason} of the {first} is not finite.'
        )
        self._save_state(runner)

    def _save_state(self, runner: Runner) -> None:
        state = dict(skips=self._skips, rollbacks=self._rollbacks)
        runner.message_hub.update_info(_STATE, state)

    def _saves(self, runner: Runner, batch_idx: int) -> bool:
        """Whether a checkpoint may be written after this iteration."""
        return self.is_last_train_iter(runner) or any(
            self.end_of_epoch(runner.train_dataloader, batch_idx)
            if hook.by_epoch
            else self.every_n_train_iters(runner, hook.interval)
            for hook in self._savers
        )

    def _read_pending(self, runner: Runner, at_weights: bool) -> Failure | None:
        """Read the pending terms; the first failure of any process is that of all."""
        pending, self._pending = self._pending, []
        failure = None
        for iteration, terms in _read(pending):
            checked = {k: v for k, v in terms.items() if k not in self._scaled}
            bad = {k: v for k, v in checked.items() if not math.isfinite(v)}
            if bad:
                at_once = iteration == runner.iter + 1
                failure = iteration, _blame(bad, runner.model, at_once)
                break
        if failure is None and at_weights:
            failure = _check_weights(runner)
        if get_world_size() > 1:
            failures = [found for found in all_gather_object(failure) if found is not None]
            failure = min(failures, default=None)
        return failure

    def _act(self, runner: Runner, failure: Failure) -> None:
        self._pending.clear()
        text = 'Iteration {}: {}.'.format(*failure)
        if self._rollbacks >= self.max_rollbacks:
            used = f' All {self.max_rollbacks} rollbacks are used.' if self.max_rollbacks else ''
            raise FloatingPointError(
                f'The training is no longer finite. {text}{_describe_weights(runner.model)}{used} '
                f'Checkpoints hold what came before ({_newest(runner) or "none yet"}). {_REMEDY}'
            )
        found = [_newest(runner)]
        broadcast_object_list(found)
        if found[0] is None:
            raise FloatingPointError(
                f'The training is no longer finite, and there is no checkpoint yet to go back to. '
                f'{text} Write checkpoints more often (CheckpointHook, interval). {_REMEDY}'
            )
        _load(runner, found[0])
        self._rollbacks, self._skips = self._rollbacks + 1, 0
        self._set_up(runner)
        runner.logger.warning(
            f'{text} Rolled back to {found[0]} ({self._rollbacks} of {self.max_rollbacks}); '
            f'learning rates are now times {self.lr_factor**self._rollbacks:g}.'
        )


def _read(pending: Sequence[tuple[int, Terms]]) -> list[tuple[int, Terms]]:
    """The scalars of all iterations as numbers; waits for the device, once."""
    scalars = [
        (iteration, {name: value for name, value in outputs.items() if _is_scalar(value)})
        for iteration, outputs in pending
    ]
    numbers = iter(read_numbers(value for _, terms in scalars for value in terms.values()))
    return [(iteration, {name: next(numbers) for name in terms}) for iteration, terms in scalars]


def _is_scalar(value: Any) -> bool:
    return value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, (int, float))


def _blame(bad: Terms, model: nn.Module, at_once: bool) -> str:
    """Why, and in which player's step it began.

    Args:
        bad: The terms that are not finite, in the order in which they were computed.
        model: The model after the iteration.
        at_once: Whether the model has not trained on since.
    """
    name, value = next(iter(bad.items()))
    also = f', and so {"is" if len(bad) == 2 else "are"} {", ".join([*bad][1:])}' * (len(bad) > 1)
    reason = f'{name} is {value}{also}'
    model = unwrap_model(model)
    if not isinstance(model, HasPlayers) or name not in model.term_players:
        return f'{reason} (model)'
    if 'fake_logits' in bad and 'real_logits' not in bad:
        return f'{reason}, but not real_logits: it draws such images (generator)'
    spoilt = _bad_weights(model) if at_once else {}
    for player in model.players:
        if player == model.term_players[name]:
            break
        if player in spoilt:
            return (
                f"{reason}; all terms of the {player}'s step were finite, its weights after the "
                f'step are not, so a gradient of it was not ({player})'
            )
    return f'{reason} ({model.term_players[name]})'


def _player_of(name: str, model: nn.Module) -> str:
    """The player that trains a weight, by its name in the model; its network if there is none."""
    network = name.partition('.')[0]
    players = model.players if isinstance(model, HasPlayers) else {}
    return next((key for key, player in players.items() if network in player.modules), network)


def _bad_weights(model: nn.Module) -> dict[str, list[str]]:
    """Names of the weights and buffers that are not finite, by player."""
    bad: dict[str, list[str]] = {}
    for name in non_finite(get_state_dict(model)):
        bad.setdefault(_player_of(name, model), []).append(name)
    return bad


def _describe_weights(model: nn.Module) -> str:
    """Which weights are not finite now, in a sentence."""
    bad = _bad_weights(unwrap_model(model))
    counts = [f'{len(names)} of the {player} (first {names[0]})' for player, names in bad.items()]
    return f' Weights that are not finite now: {", ".join(counts)}.' if counts else ''


def _check_weights(runner: Runner) -> Failure | None:
    model = unwrap_model(runner.model)
    wrappers = named_wrappers(runner.optim_wrapper)
    optimizers = {name: wrapper.state_dict() for name, wrapper in wrappers.items()}
    bad = non_finite({**get_state_dict(model), 'optimizer': optimizers})
    if not bad:
        return None
    player = _player_of(bad[0].removeprefix('optimizer.'), model)
    others = f'{len(bad) - 1} other tensors of the state, though all terms are'
    return runner.iter + 1, f'{bad[0]} is not finite, and neither are {others} ({player})'


def _newest(runner: Runner) -> Path | None:
    folders = [hook.out_dir for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    return newest_checkpoint(next(filter(None, folders), runner.work_dir))


def _load(runner: Runner, path: Path) -> None:
    """Load weights and optimizers of a checkpoint; keep what schedules have set."""
    checkpoint = read_checkpoint(path)
    unwrap_model(runner.model).load_state_dict(checkpoint['state_dict'])
    states = checkpoint.get('optimizer')
    if not isinstance(runner.optim_wrapper, OptimWrapperDict):
        states = states and {'model': states}
    for name, wrapper in named_wrappers(runner.optim_wrapper).items():
        groups = wrapper.optimizer.param_groups
        settings = [{k: v for k, v in group.items() if k != 'params'} for group in groups]
        wrapper.zero_grad()  # what was accumulated may be what failed
        if states is None:  # CheckpointHook(save_optimizer=False)
            # Loaded, not cleared: a step of a CUDA graph is recorded anew after a load.
            wrapper.optimizer.load_state_dict({**wrapper.optimizer.state_dict(), 'state': {}})
        else:
            wrapper.load_state_dict(states[name])
        # Loading puts new groups in the place of the old ones.
        for group, kept in zip(wrapper.optimizer.param_groups, settings, strict=True):
            group.update(kept)
