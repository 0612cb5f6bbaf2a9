"""Scores with the protocol that they were measured by."""

import operator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Score:
    """One number.

    Args:
        name: With the extractor's in brackets, such as 'FID[mnist-classifier]'. Scores through
            Inception and of the model itself have no brackets.
        value: The number.
        real_score: What real images score in the place of the fakes; None if unknown.
        settings: Arguments of the metric that the score depends on, by name.
    """

    name: str
    value: float
    real_score: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    floor = property(operator.attrgetter('real_score'), doc='The old name of ``real_score``.')


@dataclass(frozen=True)
class Report:
    """The scores of an evaluation, and its protocol, of which None does not apply.

    Args:
        scores: In the order of the metrics.
        extractor: Its name; None without one.
        extractor_sha256: Of its weights, 64 hexadecimal digits.
        num_features: F, its width; None if no features were compared.
        num_fakes: N; None for scores of the model alone. Metrics of the images themselves have at
            most the ``num_images`` of their settings.
        weights: Which of the generator's weights drew the fakes: 'EMA', 'last' or None if unknown.
        real_data: Name and split of the real images.
        num_reals: How many there are.
        baseline: In words, which real images stood in the place of the fakes for the real scores.
        fake_data: Where the fakes were read from; None if the model drew them.
        images: In words, what became of 16 bits and of the channels, if anything; of images from
            files also color, size (height x width) and resizing.
        direction: Of a translation, such as 'a2b'.
        num_pairs: How many outputs were compared with their own targets.
        pairs_sha256: Of the pixels of their sources and targets, 64 hexadecimal digits.
    """

    scores: list[Score]
    extractor: str | None = None
    extractor_sha256: str | None = None
    num_features: int | None = None
    num_fakes: int | None = None
    weights: str | None = None
    real_data: str | None = None
    num_reals: int | None = None
    baseline: str | None = None
    fake_data: str | None = None
    images: str | None = None
    direction: str | None = None
    num_pairs: int | None = None
    pairs_sha256: str | None = None

    floor = property(operator.attrgetter('baseline'), doc='The old name of ``baseline``.')

    def protocol(self) -> str:
        """All but the scores, in one line."""
        weights = f'{self.weights or "unknown"} weights'
        weights = f'({weights if self.direction is None else f"{self.direction}, {weights}"})'
        pairs = None
        if self.num_pairs is not None:
            sha256 = (self.pairs_sha256 or 'unknown')[:12]
            pairs = f'{self.num_pairs:,} pairs of {self.real_data} {weights}, sha256 {sha256}'
        if self.num_fakes is None:
            if self.extractor_sha256 is None:
                return pairs or 'scores of the model, without an extractor'
            text = f'scores of the model {weights}'
        else:
            fakes = f'{self.num_fakes:,} fakes {weights}'
            if self.fake_data is not None:
                fakes = f'{self.num_fakes:,} images of {self.fake_data}'
            images = '' if self.images is None else f' ({self.images})'
            text = f'{fakes} against {self.num_reals:,} images of {self.real_data}{images}'
        if self.extractor_sha256 is not None:
            features = '' if self.num_features is None else f'{self.num_features} features, '
            sha256 = self.extractor_sha256[:12]
            text += f', seen through {self.extractor} ({features}sha256 {sha256})'
        if self.baseline is not None:
            text += f'; real-data baseline: {self.baseline}'
        return text if pairs is None else f'{text}; {pairs}'

    def table(self) -> str:
        """The protocol, and a line for each score."""
        rows = [('', 'score', 'real_score', '')]
        for score in self.scores:
            settings = ', '.join(f'{name}={value}' for name, value in score.settings.items())
            real_score = '-' if score.real_score is None else f'{score.real_score:.4g}'
            rows.append((score.name, f'{score.value:.4g}', real_score, settings))
        first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
        lines = [
            f'{name:<{first}}  {value:>{second}}  {real_score:>{third}}  {settings}'.rstrip()
            for name, value, real_score, settings in rows
        ]
        return '\n'.join([self.protocol(), *lines])

    def to_dict(self) -> dict[str, Any]:
        """The same for a JSON file: ``scores`` by their names, and ``protocol``."""
        protocol = asdict(self)
        scores = {score.pop('name'): score for score in protocol.pop('scores')}
        return dict(scores=scores, protocol=protocol)
