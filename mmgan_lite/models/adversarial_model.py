"""The only training step in the package, for any number of networks that train against each other.

Goodfellow et al. 2014, Generative Adversarial Networks, arXiv:1406.2661.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from mmengine.model import BaseAveragedModel, BaseModel, is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmgan_lite.models.cuda_graph import GraphedStep
from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.models.modes import frozen
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.interfaces import BelongsToPlayer, unwrap_model
from mmgan_lite.utils.validation import check_positive


@dataclass(frozen=True)
class Player:
    """One side of the game: what one optim wrapper trains, and how often.

    Args:
        modules: Names of the model's children that it trains.
        optim_wrapper: Key of its optim wrapper; no other player's.
        steps: Optimization steps in each of its turns, at least 1.
        every: Its turn comes in every ``every``-th iteration, at least 1; 1 for the first player.
        frozen: Children that get no gradient and keep their batch norm statistics in its steps;
            None for those that the other players train.

    Raises:
        ValueError: If ``steps`` or ``every`` is not an int of at least 1.
    """

    modules: tuple[str, ...]
    optim_wrapper: str
    steps: int = 1
    every: int = 1
    frozen: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_positive('steps', self.steps)
        check_positive('every', self.every)


class AdversarialModel(BaseModel, ABC):
    """Networks that train against each other, in turns.

    A subclass defines :meth:`losses`; where it needs them also :meth:`after_update`,
    :meth:`penalty`, :meth:`prepare_batch` and :meth:`forward`.

    One iteration takes one batch. Each player whose turn it is makes its steps: the networks of the
    others are frozen, :meth:`losses` gives its scalars, the regularizers that are due are added,
    and its optim wrapper steps on the sum.

    Args:
        players: By name, in order of play.
        data_preprocessor: From the data loader's batch to a dict with ``inputs`` and ``labels``, or
            ``source`` and ``target``, on the model's device; None to only move the batch there.
        regularizers: Each a :class:`~mmgan_lite.models.Regularizer` of one of the players. One with
            an ``interval`` of k is computed in every k-th step, and then counts k times.
        cuda_graph: Whether the iteration is recorded on the GPU and replayed, which helps where
            networks are small. Needs one process and batches of one size, and parts that leave all
            values on the device.
        init_cfg: MMEngine's initialization of weights; None leaves it to the networks.

    Attributes:
        term_players: The player whose step computed each logged term, once it has.
        uncompiled: Context in which the networks run as they are, also after :meth:`compile`.

    Raises:
        ValueError: If the first player does not play in every iteration, two players have one optim
            wrapper, two regularizers one name, or a regularizer belongs to no player.
    """

    def __init__(
        self,
        players: Mapping[str, Player],
        data_preprocessor: Mapping | nn.Module | None = None,
        regularizers: Sequence[Mapping | nn.Module] = (),
        cuda_graph: bool = False,
        init_cfg: Mapping | Sequence[Mapping] | None = None,
    ) -> None:
        if data_preprocessor is not None:
            data_preprocessor = build_part(MODELS, data_preprocessor, 'data_preprocessor')
        super().__init__(data_preprocessor, init_cfg)
        self.regularizers: Any = nn.ModuleList(
            build_part(MODELS, regularizer, f'regularizers[{position}]')
            for position, regularizer in enumerate(regularizers)
        )
        self.players = dict(players)
        self.term_players: dict[str, str] = {}
        _check_players(self.players)
        self._regularized = _owners(self.regularizers, self.players)
        self.cuda_graph = cuda_graph
        self._graphed_step: GraphedStep | None = None
        self.uncompiled: Callable[[], AbstractContextManager] = nullcontext

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.data_preprocessor.device

    def train(self, mode: bool = True) -> 'AdversarialModel':
        """Set training mode, or with ``mode=False`` eval mode, of all modules."""
        # MMEngine's loops call this in each iteration. Looking whether there is anything to do
        # takes a tenth of the time that setting the mode of each module takes. An average of
        # weights is never in training mode.
        children = (c for c in self.children() if not isinstance(c, BaseAveragedModel))
        modules = chain.from_iterable(child.modules() for child in children)
        if self.training != mode or any(module.training != mode for module in modules):
            super().train(mode)
        return self

    def compile(self, **settings: Any) -> None:
        """Compile each player's networks in place by ``torch.compile``: MMEngine's ``compile``.

        Regularizers run the networks as they are: compiled ones have no gradient of a gradient.

        Raises:
            ValueError: If torch is older than 2.6, or with ``cuda_graph=True``.
        """
        _check_compile(self.cuda_graph)
        for name in chain.from_iterable(player.modules for player in self.players.values()):
            unwrap_model(self.get_submodule(name)).compile(**settings)
        self.uncompiled = functools.partial(torch.compiler.set_stance, 'force_eager')

    def train_step(self, data: Any, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One iteration: the steps of each player whose turn it is.

        Args:
            data: A batch of the data loader.
            optim_wrapper: The optim wrapper of each player.

        Returns:
            Detached scalars for the log: what :meth:`losses` gives, ``loss_<regularizer>`` of those
            that were due, and ``grad_norm_<optim wrapper>`` when clipping. Of several steps in a
            turn those of the last.

        Raises:
            ValueError: If the batch or the optim wrapper does not fit the model.
        """
        self.check_optim_wrapper(optim_wrapper)
        batch = self.prepare_batch(data)
        turns = self._turns(optim_wrapper)

        def play(batch: TrainingBatch) -> dict[str, Tensor]:
            log: dict[str, Tensor] = {}
            for name, due in turns:
                log |= self._step(name, optim_wrapper, due, batch)
            return log

        if not self.cuda_graph:
            return play(batch)
        if self._graphed_step is None:
            if any(is_model_wrapper(child) for child in self.children()):
                raise ValueError(
                    'cuda_graph=True needs one process, got several. Set cuda_graph=False.'
                )
            wrappers = [optim_wrapper[player.optim_wrapper] for player in self.players.values()]
            self._graphed_step = GraphedStep(wrappers)
        return self._graphed_step(turns, play, batch)

    def prepare_batch(self, data: Any) -> TrainingBatch:
        """A batch of the data loader, preprocessed."""
        return TrainingBatch.from_dict(self.data_preprocessor(data, True))

    @abstractmethod
    def losses(self, player: str, batch: TrainingBatch) -> dict[str, Tensor]:
        """Scalars of one step of a player.

        Args:
            player: Its name in :attr:`players`.
            batch: What is computed here may be kept in ``batch.outputs``, for the regularizers,
                :meth:`after_update`, and the players after it.

        Returns:
            Scalars. The player minimizes the sum of those with 'loss' in their name, as in
            MMEngine; the others are only logged.
        """

    def penalty(self, regularizer: Any, player: str, batch: TrainingBatch) -> Tensor:
        """The scalar of a regularizer that is due in a step of a player, after its losses.

        Raises:
            NotImplementedError: If the class takes regularizers but does not define this method.
        """
        raise NotImplementedError(f'{type(self).__name__} must define penalty() for regularizers.')

    def after_update(self, player: str, batch: TrainingBatch, stepped: bool) -> None:
        """What follows a step of a player, such as an average of its weights.

        Not called after a step that was skipped because of numbers that are not finite.

        Args:
            player: Its name in :attr:`players`.
            batch: The batch of the step.
            stepped: False where gradients were accumulated and the weights are the same.
        """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What MMEngine's validation and test loops call, with ``mode='predict'``.

        Raises:
            NotImplementedError: If the class does not define it.
        """
        raise NotImplementedError(
            f'{type(self).__name__} cannot be evaluated by a val_loop or test_loop: define '
            "forward(inputs, ..., mode='predict'), or leave val_cfg and test_cfg out."
        )

    def check_optim_wrapper(self, optim_wrapper: OptimWrapper) -> None:
        """Raise ``ValueError`` unless there is an optim wrapper for each player."""
        names = [player.optim_wrapper for player in self.players.values()]
        found = f'a single {type(optim_wrapper).__name__}'
        if isinstance(optim_wrapper, OptimWrapperDict):
            if all(name in optim_wrapper for name in names):
                return
            found = ', '.join(map(repr, optim_wrapper.keys()))
        entries = ', '.join(f'{name}=dict(...)' for name in names)
        raise ValueError(
            f'optim_wrapper must hold one wrapper each for {" and ".join(names)}, got {found}. '
            f"Set optim_wrapper=dict(constructor='MultiOptimWrapperConstructor', {entries})."
        )

    def check_average(self, optim_wrapper: OptimWrapperDict, batch_size: int) -> None:
        """Raise ``ValueError`` if an average of weights counts another number of images a step."""

    def step_counts(self, iterations: int) -> dict[str, int]:
        """Steps that each optim wrapper has made after so many iterations of training."""
        return {
            player.optim_wrapper: iterations // player.every * player.steps
            for player in self.players.values()
        }

    def lazy_intervals(self) -> dict[str, set[int]]:
        """The intervals over 1 of the regularizers, by the optim wrapper of their player."""
        intervals: dict[str, set[int]] = {}
        for regularizer, owner in zip(self.regularizers, self._regularized, strict=True):
            if regularizer.interval > 1:
                wrapper = self.players[owner].optim_wrapper
                intervals.setdefault(wrapper, set()).add(regularizer.interval)
        return intervals

    def _turns(self, optim_wrapper: OptimWrapperDict) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The steps of an iteration: the player's name, and which regularizers are due."""
        # The first player makes its steps in every iteration, and MMEngine sets the count of its
        # wrapper on resume: the turns of the others go on where they were.
        first = next(iter(self.players.values()))
        iteration = optim_wrapper[first.optim_wrapper].inner_count // first.steps
        turns = []
        for name, player in self.players.items():
            if (iteration + 1) % player.every != 0:
                continue
            start = optim_wrapper[player.optim_wrapper].inner_count
            for count in range(start, start + player.steps):
                due = tuple(
                    index
                    for index, regularizer in enumerate(self.regularizers)
                    if self._regularized[index] == name and count % regularizer.interval == 0
                )
                turns.append((name, due))
        return tuple(turns)

    def _step(
        self, name: str, optim_wrappers: OptimWrapperDict, due: Iterable[int], batch: TrainingBatch
    ) -> dict[str, Tensor]:
        player = self.players[name]
        optim_wrapper = optim_wrappers[player.optim_wrapper]
        with ExitStack() as others:
            for module in _frozen_modules(self.players, name):
                others.enter_context(frozen(unwrap_model(self.get_submodule(module))))
            with ExitStack() as contexts:
                for module in player.modules:
                    contexts.enter_context(optim_wrapper.optim_context(self.get_submodule(module)))
                scalars = self.losses(name, batch)
                losses = {key: value for key, value in scalars.items() if 'loss' in key}
                total = sum(losses.values())
                for index in due:
                    regularizer = self.regularizers[index]
                    with self.uncompiled():
                        penalty = self.penalty(regularizer, name, batch)
                    losses[f'loss_{regularizer.name}'] = penalty
                    # Lazy: what is computed every k-th time counts k times.
                    total = total + regularizer.interval * penalty
            optim_wrapper.update_params(total)
        # An optim wrapper of MMEngine skips no step, and logs the norm by itself.
        if not getattr(optim_wrapper, 'skipped', False):
            self.after_update(name, batch, stepped=optim_wrapper.should_update())
        log = {key: value.detach() for key, value in (losses | scalars).items()}
        if (grad_norm := getattr(optim_wrapper, 'grad_norm', None)) is not None:
            log[f'grad_norm_{player.optim_wrapper}'] = grad_norm.detach()
        self.term_players |= dict.fromkeys(log, name)
        return log


def _frozen_modules(players: Mapping[str, Player], name: str) -> Iterable[str]:
    """Names of the modules that are frozen in a player's step."""
    if (chosen := players[name].frozen) is not None:
        return chosen
    return [m for other, p in players.items() if other != name for m in p.modules]


def _check_compile(cuda_graph: bool) -> None:
    if cuda_graph or not hasattr(torch.compiler, 'set_stance'):
        raise ValueError(
            f'compile needs torch 2.6 or later and cuda_graph=False, got {torch.__version__} and '
            f'cuda_graph={cuda_graph}. Leave compile out.'
        )


def _check_players(players: Mapping[str, Player]) -> None:
    first, wrappers = next(iter(players), None), [p.optim_wrapper for p in players.values()]
    if first is None or players[first].every != 1:
        raise ValueError(f'players must begin with one that has every=1, got {dict(players)}.')
    if len(set(wrappers)) < len(wrappers):
        raise ValueError(
            f'players must each have an optim wrapper of their own, got {wrappers}. Name others.'
        )


def _owners(regularizers: Iterable[Any], players: Iterable[str]) -> list[str]:
    """The player of each regularizer; their names are checked."""
    names = [r.name for r in regularizers]
    owners = [r.player if isinstance(r, BelongsToPlayer) else 'discriminator' for r in regularizers]
    for regularizer, owner in zip(regularizers, owners, strict=True):
        name = regularizer.name
        if name in ('disc', 'gen', 'class_disc', 'class_gen'):
            raise ValueError(
                f"the name of a regularizer must not be {name!r}: 'loss_{name}' in the log is that "
                'of the objective. Give it another name.'
            )
        if names.count(name) > 1:
            raise ValueError(
                f'regularizers must each be of another kind, got {names.count(name)} of {name!r}, '
                'which would be logged as one. Add their weights.'
            )
        if owner not in players:
            raise ValueError(
                f'player of a regularizer must be one of {", ".join(map(repr, players))}, got '
                f'{owner!r} of {type(regularizer).__name__}. Set its player.'
            )
    return owners
