"""The end of a discriminator: from features to a logit, and to classes where it has them."""

from torch import Tensor, nn

from mmgan_lite.models.layers.conditioning import embed_labels


class LogitHead(nn.Module):
    """A linear layer to one logit, with the two ways for labels to come in at the end.

    'projection' adds the product of the features with a learned vector of the label: Miyato &
    Koyama 2018, cGANs with Projection Discriminator, arXiv:1802.05637. 'classifier' leaves the
    logit alone and gives class logits beside it: Odena et al. 2017, Conditional Image Synthesis
    With Auxiliary Classifier GANs, arXiv:1610.09585.

    Args:
        in_features: Numbers that describe an image, at least 1.
        num_classes: Number of labels; None without.
        conditioning: 'projection' or 'classifier'; with any other, or None, labels have no part
            in the head.

    Example:
        >>> import torch
        >>> head = LogitHead(8, num_classes=10, conditioning='classifier')
        >>> logits, class_logits = head(torch.randn(4, 8), return_classes=True)
        >>> logits.shape, class_logits.shape
        (torch.Size([4]), torch.Size([4, 10]))
    """

    def __init__(
        self, in_features: int, num_classes: int | None = None, conditioning: str | None = None
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, 1)
        self.embedding = self.classifier = None
        if num_classes and conditioning == 'projection':
            self.embedding = nn.Embedding(num_classes, in_features)
            # As small as the linear layer's: torch's N(0, 1) would drown its logit.
            nn.init.normal_(self.embedding.weight, std=in_features**-0.5)
        elif num_classes and conditioning == 'classifier':
            self.classifier = nn.Linear(in_features, num_classes)

    def forward(
        self, features: Tensor, labels: Tensor | None = None, return_classes: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of features.

        Args:
            features: Float ``(N, in_features)``.
            labels: int64 ``(N,)`` in [0, ``num_classes``); only with 'projection'.
            return_classes: Whether to also return class logits; only with 'classifier'.

        Returns:
            Float ``(N,)``, unbounded; with ``return_classes`` these and float
            ``(N, num_classes)``, the logits of the classes.

        Raises:
            ValueError: If labels are missing, needless or out of range, or if there is no
                classifier to return from.
        """
        logits = self.linear(features).squeeze(1)
        vectors = embed_labels(labels, self.embedding)
        if vectors is not None:
            logits = logits + (vectors * features).sum(1)
        if not return_classes:
            return logits
        if self.classifier is None:
            raise ValueError(
                'return_classes=True needs a discriminator with a classifier, got one without. '
                "Build it with num_classes=... and conditioning='classifier'."
            )
        return logits, self.classifier(features)
