import pytest

from mmgan_lite import cli
from mmgan_lite.cli import download_dataset
from mmgan_lite.datasets.translation_archives import Downloaded


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command on a download of ours; returns what it prints."""

    def call(sha256, *arguments):
        def download(name, out, on_progress):
            on_progress(3, 3)
            return Downloaded(out / name, sha256)

        monkeypatch.setattr(download_dataset, 'download_archive', download)
        monkeypatch.setattr('sys.argv', ['mmgan-lite', 'download-dataset', *arguments])
        cli.main()
        return capsys.readouterr().out

    return call


def test_says_where_it_is_and_that_there_is_no_published_checksum(run, tmp_path):
    printed = run('ab12', 'facades', '--out', str(tmp_path))
    assert f'facades: {tmp_path}/facades\n' in printed
    assert 'sha256 of the archive (the authors publish none to compare it with): ab12' in printed


def test_says_that_it_is_there(run):
    assert 'data/maps is there already; nothing is downloaded.' in run(None, 'maps')


def test_unknown_name(run, capsys):
    with pytest.raises(SystemExit):
        run(None, 'facade')
    assert "invalid choice: 'facade'" in capsys.readouterr().err
