"""What every metric of generated images has in common."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor, nn

from mmgan_lite.utils.image_batch import join_columns
from mmgan_lite.utils.validation import did_you_mean

# What comes from the extractor, and then what does not.
OF_FEATURES = ('features', 'logits', 'train')
NEEDS = (*OF_FEATURES, 'labels', 'images', 'pairs', 'model', 'extractor')


@dataclass(frozen=True, eq=False)
class Samples:
    """Features of N images, or the images themselves, on the CPU.

    Args:
        features: Float32 ``(N, F)``; F is 0 where there are images.
        logits: Float32 ``(N, K)``; None where the extractor is no classifier.
        labels: int64 ``(N,)``, the class of each image; for fakes the class that the model was
            given. None where there are no labels.
        images: uint8 ``(N, C, H, W)``, in random order; None for features.
    """

    features: Tensor = field(default_factory=lambda: torch.empty(0, 0))
    logits: Tensor | None = None
    labels: Tensor | None = None
    images: Tensor | None = None

    def __post_init__(self) -> None:
        if self.images is not None:
            object.__setattr__(self, 'features', torch.empty(len(self.images), 0))

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: Tensor | slice) -> 'Samples':
        columns = (self.features, self.logits, self.labels, self.images)
        return Samples(*join_columns([columns], lambda column: column[0][index]))


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a metric gets.

    Args:
        fake: N images of the generator, or real ones in their place for the real score.
        real: The real images that they are compared with.
        train: The images that the model was trained on; None without ``train_dataset``.
        model: The model, without a wrapper for several processes; None where none is bound.
        drawn: What :meth:`GANMetric.draw` of this metric gave in all processes, in any order; None
            where it gave nothing.
        pairs: What :meth:`GANMetric.process` of this metric kept of each pair, in the order of the
            data; empty without ``'pairs'``.
    """

    fake: Samples
    real: Samples
    train: Samples | None = None
    model: nn.Module | None = None
    drawn: Tensor | None = None
    pairs: Sequence[Any] = ()


class GANMetric(BaseMetric):
    """A metric in the list of a :class:`~mmgan_lite.evaluation.GANEvaluator`.

    The evaluator computes what its metrics need, once for all of them. A subclass implements
    ``compute`` and lists in ``needs`` what it reads of the :class:`Comparison`:

    - ``'features'``: features of the fakes and of the real images.
    - ``'logits'``: those of a classifier, besides the features.
    - ``'labels'``: labels of the fakes; only a conditional model has them.
    - ``'train'``: features of all training images, from the evaluator's ``train_dataset``.
    - ``'images'``: the images themselves, without features: of the fakes and of the real images a
      random subset of at most ``num_images`` each, because all would fill the memory.
    - ``'pairs'``: the data samples of a translation, batch by batch: ``process`` keeps an entry of
      each in ``results``, and ``compute`` gets those of all processes.
    - ``'model'``: the model. Without anything else the evaluator needs no extractor, and
      ``fake`` and ``real`` are empty. The model is in eval mode and gradients are off.
    - ``'extractor'``: the extractor, for images that ``draw`` makes; with ``'model'``.

    Attributes:
        needs: Some of these names.
        num_images: With ``'images'``: how many of each kind, at least 1.
        score_names: The names that ``compute`` returns; empty if they depend on the data.
        settings: Arguments that the scores depend on, by name, for the report.

    Example:
        >>> class NumParameters(GANMetric):
        ...     needs = ('model',)
        ...     score_names = ('num_parameters',)
        ...
        ...     def compute(self, comparison):
        ...         return {'num_parameters': sum(p.numel() for p in comparison.model.parameters())}
    """

    # The evaluator names the scores; without this MMEngine warns that there is no prefix.
    default_prefix = ''
    score_names: tuple[str, ...] = ()
    needs: tuple[str, ...] = ('features',)
    num_images: int = 1
    settings: dict[str, Any] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check ``needs``, and read the attributes of metrics for version 0.1.

        Raises:
            ValueError: If ``needs`` has an unknown name, or images besides features.
        """
        super().__init_subclass__(**kwargs)
        for need in NEEDS:
            if f'needs_{need}' in cls.__dict__:
                others = tuple(other for other in cls.needs if other != need)
                cls.needs = (*others, need) if cls.__dict__[f'needs_{need}'] else others
                _warn_renamed(cls, f'needs_{need}', f'needs = {cls.needs}')
        if 'compute_floor' in cls.__dict__:
            cls.compute_real_score = cls.__dict__['compute_floor']  # type: ignore[method-assign]
            _warn_renamed(cls, 'compute_floor', 'compute_real_score')
        for need in cls.needs:
            if need not in NEEDS:
                raise ValueError(
                    f'needs of {cls.__name__} must be a tuple of {", ".join(NEEDS)}, got '
                    f'{cls.needs!r}. {did_you_mean(need, NEEDS, "Remove what is none of them.")}'
                )
        if 'images' in cls.needs and not {*OF_FEATURES}.isdisjoint(cls.needs):
            raise ValueError(
                f'needs of {cls.__name__} must name either images or {", ".join(OF_FEATURES)}, got '
                f'{cls.needs!r}. Make two metrics of it.'
            )

    @property
    def needs_images(self) -> bool:
        """Whether it needs images of a loop, or their features."""
        return not {*self.needs} <= {'model', 'extractor', 'pairs'}

    @property
    def needs_extractor(self) -> bool:
        """Whether its scores depend on the extractor, which their names then have."""
        return not {*self.needs} <= {'model', 'images', 'pairs'}

    def tag(self, tag: str, extractor: str) -> str:
        """The end of the names of its scores.

        Args:
            tag: That of the extractor, which is empty for Inception, as in papers.
            extractor: Name of the extractor.
        """
        if 'extractor' in self.needs:
            return f'[{extractor}]'
        return tag if self.needs_extractor else ''

    def check_model(self, model: nn.Module) -> None:
        """Raise ``ValueError`` if it cannot be computed for a model; called before the loop."""

    def draw(self, model: nn.Module, extractor: Any) -> Tensor | None:
        """Draw from the model, in every process its share; ``compute`` gets that of all.

        Called once the images of the loop are there, for metrics that need the model. A process
        must not wait for the others here.

        Args:
            model: As in :class:`Comparison`.
            extractor: A :class:`~mmgan_lite.evaluation.FeatureExtractor`; None without one.

        Returns:
            ``(N, ...)``, on the CPU; None for nothing.
        """
        return None

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores by their plain names, such as 'FID'; the evaluator adds the extractor's.

        Raises:
            ValueError: If there are too few images.
        """
        raise NotImplementedError

    def require(self, comparison: Comparison, fake: int = 0, real: int = 0, train: int = 0) -> None:
        """Raise ``ValueError`` unless there are as many images of each kind."""
        found = dict(fake=comparison.fake, real=comparison.real, training=comparison.train or ())
        for (kind, samples), least in zip(found.items(), (fake, real, train), strict=True):
            if len(samples) < least:
                raise ValueError(
                    f'{type(self).__name__} needs at least {least} {kind} images, got '
                    f'{len(samples)}. Draw or load more, or take the metric out of the list.'
                )

    def compute_real_score(self, comparison: Comparison) -> dict[str, float]:
        """Scores of real images in the place of the fakes; none of the model or of pairs."""
        return {} if {'model', 'pairs'} & {*self.needs} else self.compute(comparison)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Keep nothing of a batch: the evaluator collects for all metrics, but with 'pairs'."""

    def compute_metrics(self, results: Sequence[Any]) -> dict[str, float]:
        """MMEngine's name for ``compute``; takes a list of one comparison.

        Raises:
            ValueError: If it is empty, because another evaluator runs the metric.
        """
        if not results:
            name = type(self).__name__
            raise ValueError(
                f'{name} must be in the list of a GANEvaluator, which collects what it needs. Set '
                f"val_evaluator=dict(type='GANEvaluator', metrics=[dict(type='{name}')])."
            )
        return self.compute(*results)


def _warn_renamed(cls: type, old: str, new: str) -> None:
    warnings.warn(f'{old} of {cls.__name__} has a new name: write {new}.', FutureWarning, 4)


def centered(*sets: Tensor) -> list[Tensor]:
    """Features minus their common mean, which keeps digits in differences of squares."""
    mean = torch.cat(sets).double().mean(0)
    return [(features.double() - mean).float() for features in sets]


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """Squared Euclidean distances ``(N, M)`` of points ``(N, F)`` and ``(M, F)``."""
    # One pass over the N M numbers for each step: the first is the matrix product itself.
    distances = torch.addmm(right.square().sum(1), left, right.T, alpha=-2)
    return distances.add_(left.square().sum(1)[:, None]).clamp_(min=0)
