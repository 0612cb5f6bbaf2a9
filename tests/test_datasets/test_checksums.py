"""Lists of checksums, compared with those that the command sha256sum writes and checks."""

import hashlib
import shutil
import subprocess

import pytest

from mmgan_lite.datasets.checksums import file_hash, read_checksums, verify_checksums

ONE, TWO = '01' * 32, 'ab' * 32


@pytest.fixture
def listed(tmp_path):
    """Reads a list of this text."""

    def listed(text):
        (tmp_path / 'SHA256SUMS').write_bytes(text.encode())
        return read_checksums(tmp_path)

    return listed


def test_no_list(tmp_path):
    assert read_checksums(tmp_path) is None


@pytest.mark.parametrize(
    'text',
    [
        f'{ONE}  a b.png\n{TWO}  deep/ä.png\n',
        f'{ONE} *a b.png\n{TWO} *deep/ä.png',  # binary, and no end of the last line
        f'{ONE}  ./a b.png\n{TWO}  ./deep//ä.png\n',  # by find
        f'# of Monday\r\n{ONE}  a b.png\r\n\r\n{TWO.upper()}  deep/ä.png\r\n',
        f'{TWO}  deep/ä.png\n{ONE}  a b.png\n{ONE}  ./a b.png\n',  # one of them twice
    ],
)
def test_formats(listed, text):
    assert listed(text) == {'a b.png': ONE, 'deep/ä.png': TWO}


NAMES = ['a.png', '  b  .png', '*c.png', 'new\nline.png', 'back\\slash.png', '\\.png', 'ä狐.png']
NAMES += [
    'sep\u2028arated.png',
    'carriage\rreturn.png',
    b'not utf \xff.png'.decode(errors='surrogateescape'),
]


@pytest.mark.skipif(shutil.which('sha256sum') is None, reason='no sha256sum')
@pytest.mark.parametrize('option', ['--text', '--binary'])
def test_what_sha256sum_writes(tmp_path, option):
    for number, name in enumerate(NAMES):
        (tmp_path / name).write_text(str(number))
    names = [f'./{name}' for name in NAMES]
    done = subprocess.run(
        ['sha256sum', option, *names], cwd=tmp_path, capture_output=True, check=True
    )
    (tmp_path / 'SHA256SUMS').write_bytes(done.stdout)
    expected = {n: hashlib.sha256(str(i).encode()).hexdigest() for i, n in enumerate(NAMES)}
    assert read_checksums(tmp_path) == expected
    assert verify_checksums(tmp_path, NAMES) == set(NAMES)


@pytest.mark.parametrize(
    ('line', 'found'),
    [
        (f'{TWO[1:]}  b.png', "'" + TWO[1:] + "  b.png'"),  # a digit is gone
        (f'{TWO[:-1]}g  b.png', "g  b.png'"),
        (f'{TWO} b.png', " b.png'"),
        (f'{TWO}  ', "  '"),
        ('b.png', "'b.png'"),
        (f'SHA256 (b.png) = {TWO}', r"'SHA256 \(b.png\) = "),
        (f'{TWO}  ./a.png', "a second checksum of 'a.png'"),
    ],
)
def test_malformed(listed, line, found):
    message = (
        rf"Line 3 of '.*SHA256SUMS' must be a sha256 of 64 hex .*, got .*{found}.*\. Write the"
    )
    with pytest.raises(ValueError, match=message):
        listed(f'# first\n{ONE}  a.png\n{line}\n')


@pytest.mark.parametrize('text', ['', '\n', '# nothing\n'])
def test_empty(listed, text):
    with pytest.raises(ValueError, match='Line 1 of .* got nothing. Write the list again'):
        listed(text)


def test_hash_of_a_file_longer_than_a_chunk(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / 'a').write_bytes(content)
    assert file_hash(tmp_path / 'a') == hashlib.sha256(content).hexdigest()
    assert file_hash(tmp_path / 'a', 'md5') == hashlib.md5(content).hexdigest()


def test_sums_are_of_files_that_have_one(tmp_path):
    for name in 'abc':
        (tmp_path / name).write_text(name)
    assert verify_checksums(tmp_path, 'abc') == set()
    sums = [f'{hashlib.sha256(name.encode()).hexdigest()}  {name}' for name in 'ab']
    (tmp_path / 'SHA256SUMS').write_text('\n'.join(sums))
    assert verify_checksums(tmp_path, 'abc') == {'a', 'b'}
    (tmp_path / 'b').write_text('other')
    assert verify_checksums(tmp_path, 'ac') == {'a'}
    with pytest.raises(ValueError, match='sums in SHA256SUMS, got others for b. Delete'):
        verify_checksums(tmp_path, 'abc')
