"""What is in a file of another project."""

from pathlib import Path

import torch

from mmgan_lite.checkpoints.foreign import ForeignFile


def test_ledger_has_all_tensors_by_their_paths():
    shared = dict(weight=torch.ones(1))
    content = dict(
        state_dict=shared,
        again=shared,
        optimizer=dict(state={0: [torch.ones(2), dict(step=torch.tensor(1), lr=0.1)]}),
        meta='text',
    )
    content['state_dict']['self'] = content['state_dict']
    ledger = ForeignFile(Path('a.pth'), content).ledger()
    assert ledger.names() == [
        'state_dict.weight',
        'again.weight',
        'optimizer.state.0.0',
        'optimizer.state.0.1.step',
    ]


def test_ledger_of_modules(read_module):
    ledger = ForeignFile(Path('a.pkl'), dict(G=read_module({'a.b.weight': torch.ones(3)}))).ledger()
    assert ledger.names('G.') == ['G.a.b.weight']
    assert ledger.under('G.').take('a.b.weight').shape == (3,)


def test_errors_name_the_file():
    error = ForeignFile(Path('a.pkl'), None).refuse('is of StyleGAN3', 'Take another')
    assert str(error) == "'a.pkl' is of StyleGAN3. Take another."
