"""The state of a training besides weights, optimizers and schedules, in checkpoints."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor

from mmgan_lite.engine.mmengine_compat import is_resumed, loaded_checkpoint, passes_made
from mmgan_lite.engine.resume import rng_state
from mmgan_lite.engine.resume.dataloader_state import can_begin_anywhere, go_on, train_sampler
from mmgan_lite.engine.resume.weight_transfer import transfer
from mmgan_lite.utils.interfaces import unwrap_model

# Beginnings of two warnings of MMEngine: that gradients of an accumulation are lost, and that all
# batches before the first new one are loaded.
GRADIENTS_LOST = 'Resumed iteration number is not divisible by '
BATCHES_LOADED = 'Advance dataloader '
# Parts of a model whose state is of a training, not of its networks.
_BEGIN_ANEW = ('augmentation.', 'regularizers.', 'pools.')


@runtime_checkable
class _HasSeed(Protocol):
    """A sampler that shuffles by a seed."""

    seed: int | None


def collect_state(runner: Runner, random_state: dict[str, Any] | None) -> dict[str, Any]:
    """The state of all processes, in plain types; all must call it.

    Args:
        runner: While it trains.
        random_state: That training goes on with; None for the current one.
    """
    process = dict(
        random=random_state or rng_state.get_random_state(model_device(runner)),
        gradients=rng_state.get_partial_gradients(runner.optim_wrapper),
    )
    sampler = train_sampler(runner.train_dataloader)
    return dict(
        processes=all_gather_object(process),
        passes=passes_made(runner.train_loop),
        sampler_seed=sampler.seed if isinstance(sampler, _HasSeed) else None,
    )


def restore_state(runner: Runner, state: Mapping[str, Any]) -> None:
    """Let training go on with a state of :func:`collect_state`, right before its first batch."""
    sampler, seed = train_sampler(runner.train_dataloader), state['sampler_seed']
    # A run without a seed in its config drew one before it knew that it was to be resumed.
    if seed is not None and isinstance(sampler, _HasSeed) and sampler.seed is not None:
        sampler.seed = seed
    ready = functools.partial(_restore_process, runner, state['processes'])
    go_on(runner.train_loop, runner.seed, state['passes'], ready)


def untrue_warnings(runner: Runner, state: Mapping[str, Any]) -> list[str]:
    """What MMEngine warns of when it resumes, although :func:`restore_state` prevents it."""
    prevented = {
        GRADIENTS_LOST: len(state['processes']) == get_world_size(),
        BATCHES_LOADED: can_begin_anywhere(runner.train_dataloader),
    }
    return [text for text, is_prevented in prevented.items() if is_prevented]


def model_device(runner: Runner) -> torch.device:
    """Where the weights of the model are."""
    return next(runner.model.parameters()).device


def fit_weights(runner: Runner, found: dict[str, Tensor]) -> None:
    """Fit the weights of a checkpoint to the model, in place; a table of the differences is logged.

    Augmentation, regularizers and image pools of a new training begin as the config has them.
    MMEngine leaves out weights of another shape, and of those that are missing only warns.

    Raises:
        ValueError: If one differs when a training is resumed, or none is the same.
    """
    expected = unwrap_model(runner.model).state_dict()
    if not is_resumed(runner):
        # As the config has it: a strength to begin with, for example.
        begun = [key for key in found if key.startswith(_BEGIN_ANEW) and key in expected]
        found.update((key, expected[key]) for key in begun)
    fitted = transfer(expected, found)
    differing = [*(key for key in expected if key not in fitted.taken), *fitted.unused]
    if not differing:
        return
    # Counts, such as those of an average, have one name and shape in all models.
    fitting = [name for name in fitted.taken if expected[name].ndim]
    argument, remedy = 'load_from', 'Set it to a checkpoint of the same networks, or to None.'
    if is_resumed(runner):
        argument, remedy = 'resume', 'Take its config, or load its weights alone by load_from.'
    if is_resumed(runner) or not fitting:
        raise ValueError(
            f'{argument} must be given a checkpoint of this model, but {len(differing)} weights of '
            f"'{loaded_checkpoint(runner)}' differ in name or shape: "
            f'{", ".join(differing[:3])}, ... {remedy}'
        )
    runner.logger.warning(
        f'{len(fitted.taken)} of {len(expected)} weights of this model are taken from '
        f"'{loaded_checkpoint(runner)}'. The others:\n{fitted.table()}"
    )
    found.clear()
    found.update(fitted.state)


def _restore_process(runner: Runner, processes: Sequence[dict]) -> None:
    rank, count = get_rank(), get_world_size()
    if rank < len(processes):
        rng_state.set_random_state(processes[rank]['random'], model_device(runner))
    if len(processes) == count:
        rng_state.set_partial_gradients(runner.optim_wrapper, processes[rank]['gradients'])
        return
    runner.logger.warning(
        f'The checkpoint was written by {len(processes)} processes, and {count} go on from it: '
        'each gets other images and other random numbers than it would have got.'
    )
