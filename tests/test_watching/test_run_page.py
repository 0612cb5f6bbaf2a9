"""The page of a training: whole in one file, honest about what is missing, and nobody's script."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image

from mmgan_lite.watching import RunLog, write_page
from mmgan_lite.watching.run_page import render_page

A, B = '20261125_043909', '20261125_053909'
EVIL = '</pre></script><script>document.title = "run by a stranger"</script><img src=x onerror=1>'


@pytest.fixture
def whole(work_dir):
    """A training with all that a page shows."""
    work_dir.train(A, range(20, 220, 20), loss_gen=1.5, loss_disc=0.5, real_logits=0.1)
    work_dir.train(B, range(200, 420, 20), **{'loss_gen': 1.0, 'health/separation': 0.7})
    work_dir.log(A).config(A, 'model = dict(type="GAN")\n')
    work_dir.evaluate(A, 100, 2.0).evaluate(B, 400, 1.5)
    work_dir.grids(0, 100, 200, 300, 400, size=(64, 64))
    (work_dir.path / 'provenance.json').write_text(
        '{"runs": [{"time": "2026-11-25", "git": {"commit": "ab12", "dirty": false}}]}'
    )
    return work_dir


def page_of(work_dir):
    return render_page(RunLog(work_dir.path))


def test_all_of_it_is_there(whole):
    page = page_of(whole)
    sections = re.findall(r'<section id="(\w+)">', page)
    assert sections == [
        *('samples', 'scores', 'training', 'health', 'warnings'),
        *('runs', 'config', 'environment', 'provenance'),
    ]
    assert page.count('alt="Samples at iteration') == 5
    assert page.count('data:image/png;base64,') == 6  # and the real images
    for text in (
        'FID[pixels]',
        'Noise test',
        'halves of 250',
        'EMA',
        'abab',
        'ab12',
        'Something is odd.',
    ):
        assert text in page, text


def test_one_file_without_network(whole):
    page = page_of(whole)
    assert re.search(r'default-src &#x27;none&#x27;; img-src data:;', page)
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert '@import' not in page
    assert 'url(' not in page


def test_what_is_missing_is_told(work_dir):
    page = page_of(work_dir.train(A, [20], loss_gen=1.0))
    for text in ('no grids of samples', 'No metric was computed', 'There is no log', 'no config'):
        assert text in page, text


def test_text_of_files_is_no_script(whole):
    whole.config(B, f'x = "{EVIL}"')
    whole.log(B, head='2026/11/25 04:39:10 - mmengine - WARNING - ' + EVIL + '\n')
    whole.train(B, [420], **{f'loss_{EVIL}': 1.0})
    whole.evaluate(B, 420, 1.0, real_data=EVIL)
    page = page_of(whole)
    assert 'run by a stranger' in page
    assert EVIL not in page
    assert len(re.findall(r'<script\b', page)) == 2  # data and our own
    assert '<img src=x' not in page


def test_written_whole_or_not_at_all(whole, tmp_path, monkeypatch):
    out = write_page(RunLog(whole.path), tmp_path / 'new' / 'page.html')
    before = out.read_bytes()
    monkeypatch.setattr(Path, 'write_text', lambda *_, **__: (_ for _ in ()).throw(OSError('full')))
    with pytest.raises(OSError, match='full'):
        write_page(RunLog(whole.path), out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ['page.html']


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    spec = importlib.util.spec_from_file_location('browser', Path(__file__).with_name('browser.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    executable = module.find_browser()
    if executable is None:
        pytest.skip('there is no Chromium')
    page = module.Browser(executable, tmp_path_factory.mktemp('profile'))
    yield page
    page.close()


@pytest.mark.parametrize(('width', 'scheme'), [(1400, 'light'), (390, 'light'), (390, 'dark')])
def test_in_a_browser(whole, browser, tmp_path, width, scheme):
    whole.config(B, f'x = "{EVIL}"')
    browser.size(width)
    browser.scheme(scheme)
    events = browser.open(write_page(RunLog(whole.path), tmp_path / 'page.html'))
    requests = [
        event['params']['request']['url']
        for event in events
        if event['method'] == 'Network.requestWillBeSent'
    ]
    assert [url[:5] for url in requests if not url.startswith('data:')] == ['file:']
    problems = [e for e in events if e['method'] in ('Log.entryAdded', 'Runtime.exceptionThrown')]
    assert problems == []
    assert browser.run('document.title') == 'some_run - training report'
    assert browser.run('document.documentElement.scrollWidth') <= width
    assert browser.run('document.querySelectorAll("svg path, svg polyline").length') > 3
    browser.screenshot(tmp_path / 'page.png')
    with Image.open(tmp_path / 'page.png') as shot:
        assert width - 20 < shot.width <= width  # less a scroll bar
        corner = shot.convert('L').getpixel((2, 2))
    assert corner > 200 if scheme == 'light' else corner < 60


def test_slider_by_keyboard(whole, browser, tmp_path):
    browser.size(1000)
    browser.open(write_page(RunLog(whole.path), tmp_path / 'page.html'))
    shown = 'document.getElementById("shown-iteration").textContent'
    visible = (
        '[...document.querySelectorAll("img[data-iteration]:not([hidden])")]'
        '.map(i => i.dataset.iteration)'
    )
    assert (browser.run(shown), browser.run(visible)) == ('400', ['400'])
    browser.run('document.getElementById("iteration").focus()')
    browser.press('ArrowLeft', 37)
    browser.press('ArrowLeft', 37)
    assert (browser.run(shown), browser.run(visible)) == ('200', ['200'])
