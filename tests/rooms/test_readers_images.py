"""Images to rows: folders, archives and arrays. Witness: Pillow and NumPy, which wrote the files."""

import io
import os
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from warmstart.base.errors import BadInput
from warmstart.readers.images import contains_images, read_image_rows

DRAW = np.random.default_rng(0)
NAMES = [f"{part}/{label}/{n}.png" for part in ("test", "train") for label in ("cat", "ship") for n in range(2)]
PIXELS = {name: DRAW.integers(0, 256, (4, 5, 3), np.uint8) for name in NAMES}


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def folder_of(home: Path) -> Path:
    for name, pixels in PIXELS.items():
        path = home / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    (home / "pictures" / "README.txt").write_text("not an image")
    return home / "pictures"


def archive_of(home: Path) -> Path:
    path = home / "pictures.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, pixels in PIXELS.items():
            info = tarfile.TarInfo(name)
            info.size = len(png(pixels))
            archive.addfile(info, io.BytesIO(png(pixels)))
    return path


def arrays_of(home: Path) -> Path:
    arrays: dict[str, np.ndarray] = {"classes": np.array(["cat", "ship"])}
    for part in ("test", "train"):
        own = [name for name in NAMES if name.startswith(part)]
        arrays[f"x_{part}"] = np.stack([PIXELS[name] for name in own])
        arrays[f"y_{part}"] = np.array(["ship" in name for name in own], np.uint8)
    np.savez(home / "pictures.npz", **arrays)
    return home / "pictures.npz"


@pytest.mark.parametrize("form", [folder_of, archive_of, arrays_of])
@pytest.mark.parametrize("part", ["train", "test", None])
def test_the_form_does_not_matter(form, part: str | None, tmp_path: Path) -> None:
    """Witness: the pixels that were written, and the folders' names."""
    path = form(tmp_path)
    assert contains_images(str(path))
    found = list(read_image_rows(str(path), part))
    wanted = [name for name in NAMES if part is None or name.startswith(part)]
    assert [row.fields["label"] for row in found] == [name.split("/")[1] for name in wanted]
    assert all(np.array_equal(row.fields["image"], PIXELS[name]) for row, name in zip(found, wanted, strict=True))
    assert all(str(path) in row.where for row in found)


def test_jpeg_and_other_modes_become_rgb(tmp_path: Path) -> None:
    """Witness: Pillow's own decoding and conversion."""
    for number, (mode, extension) in enumerate((("RGB", "jpg"), ("L", "jpeg"), ("P", "png"), ("RGBA", "PNG"))):
        path = tmp_path / "cat" / f"{number}.{extension}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(PIXELS[NAMES[0]]).convert(mode).save(path)
    for row in read_image_rows(str(tmp_path)):
        with Image.open(row.where) as theirs:
            assert np.array_equal(row.fields["image"], np.asarray(theirs.convert("RGB")))


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG with 16 bits a channel, [H, W] grey or [H, W, 3], as the standard (ISO 15948) lays it out."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_grey_of_16_bits_is_read_as_colours_of_16_bits_are(tmp_path: Path) -> None:
    """Witness: Pillow's own reading of the same numbers as red, green and blue; converted from grey all would be white."""
    grey = np.random.default_rng(1).integers(0, 1 << 16, (6, 7), np.uint16)
    grey[0, :4] = 0, 255, 256, 65535
    (tmp_path / "grey.png").write_bytes(png_of_16_bits(grey))
    colours = png_of_16_bits(np.repeat(grey[:, :, None], 3, axis=2))
    [row] = read_image_rows(str(tmp_path / "grey.png"), needs_class=False)
    with Image.open(io.BytesIO(colours)) as theirs:
        assert theirs.mode == "RGB" and np.array_equal(row.fields["image"], np.asarray(theirs))


def test_two_bits_a_palette_and_alpha(tmp_path: Path) -> None:
    """Witness: the colours by hand: black and white, the colours of a palette, a colour under half of an alpha."""
    dots = np.array([[0, 255], [255, 0]], np.uint8)
    palette = Image.fromarray(dots // 255).convert("P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    alpha = Image.fromarray(np.full((2, 2, 4), (9, 8, 7, 128), np.uint8))
    cases = [
        (Image.fromarray(dots).convert("1"), [[(0,) * 3, (255,) * 3], [(255,) * 3, (0,) * 3]]),
        (palette, [[(10, 20, 30), (200, 100, 50)], [(200, 100, 50), (10, 20, 30)]]),
        (alpha, [[(9, 8, 7)] * 2] * 2),
    ]
    for number, (image, colours) in enumerate(cases):
        image.save(tmp_path / f"{number}.png")
        [row] = read_image_rows(str(tmp_path / f"{number}.png"), needs_class=False)
        assert row.fields["image"].tolist() == [[list(pixel) for pixel in line] for line in colours]


def test_a_palette_with_an_alpha_for_each_colour(tmp_path: Path) -> None:
    """Witness: the colours of the same palette without alpha; Pillow's warning would fail this test."""
    palette = Image.fromarray(PIXELS[NAMES[0]]).quantize(16)
    palette.save(tmp_path / "a.png")
    palette.save(tmp_path / "b.png", transparency=bytes(range(0, 256, 16)))
    plain, alpha = (row.fields["image"] for row in read_image_rows(str(tmp_path), needs_class=False))
    assert np.array_equal(plain, alpha)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(orientation: int, tmp_path: Path) -> None:
    """Witness: EXIF's definition of the orientation, by NumPy's turns and mirrors, of an image of two colours."""
    turns = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud, 5: lambda x: np.rot90(np.fliplr(x)),
        6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(np.fliplr(x), -1), 8: np.rot90,
    }  # fmt: skip
    stored = np.zeros((16, 8, 3), np.uint8)
    stored[:8] = 200
    stored[:4, :4] = 90
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    [row] = read_image_rows(str(tmp_path / "a.png"), needs_class=False)
    assert np.array_equal(row.fields["image"], turns[orientation](stored))


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    """Witness: a byte that is no UTF-8, which no label could be written with."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "a.png").write_bytes(png(PIXELS[NAMES[0]]))
    with pytest.raises(BadInput, match="a name that is not UTF-8") as error:
        list(read_image_rows(str(tmp_path)))
    str(error.value).encode("utf-8")


def test_one_image_and_images_without_classes(tmp_path: Path) -> None:
    """Witness: the one image; without classes they can be predicted on, not learned from."""
    path = tmp_path / "a.png"
    path.write_bytes(png(PIXELS[NAMES[0]]))
    [row] = read_image_rows(str(path), needs_class=False)
    assert row.fields.keys() == {"image", "file"} and row.fields["file"] == "a.png"
    for place in (path, tmp_path):
        with pytest.raises(BadInput, match=r"a\.png: this image has no class; allowed: CLASS/NAME\.png"):
            list(read_image_rows(str(place)))


def test_text_holds_no_images(tmp_path: Path) -> None:
    """Invariant: a folder of texts with a picture among them stays one of texts."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("words")
    (tmp_path / "cover.png").write_bytes(png(PIXELS[NAMES[0]]))
    assert (
        not contains_images(str(tmp_path))
        and not contains_images(str(tmp_path / "a.txt"))
        and not contains_images("no.txt")
    )


def message(path: Path, part: str | None = None) -> str:
    with pytest.raises(BadInput) as error:
        list(read_image_rows(str(path), part))
    return str(error.value)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    """Witness: a text of that name, a picture cut short, a part that is not there, a folder of nothing."""
    path = folder_of(tmp_path)
    assert "there are no images here; allowed: images of the split 'dev'" in message(path, "dev")
    whole = (path / NAMES[0]).read_bytes()
    for content in (b"words", b"", whole[: len(whole) // 2]):
        (path / NAMES[0]).write_bytes(content)
        assert f"{path / NAMES[0]}: this image cannot be read" in message(path)
    (tmp_path / "empty").mkdir()
    assert "there is no file to read; allowed: .png, .jpg, .jpeg" in message(tmp_path / "empty")


@pytest.mark.parametrize(
    ("arrays", "parts"),
    [
        ({"a": np.zeros(3)}, ["this file has no images; got ['a']; allowed: arrays x and y"]),
        ({"x": np.zeros((2, 4, 5), np.uint8)}, ["x: not an array of images; got 'uint8 [2, 4, 5]'"]),
        ({"x": np.zeros((2, 4, 5, 3))}, ["got 'float64 [2, 4, 5, 3]'; allowed: uint8"]),
        ({"x": np.zeros((2, 4, 5, 3), np.uint8)}, ["x[0]: this image has no class"]),
        ({"x": np.zeros((2, 4, 5, 3), np.uint8), "y": np.zeros(3, int)}, ["y: not the classes of the images", "2 images"]),
        ({"x": np.zeros((2, 4, 5, 3), np.uint8), "y": np.ones(2, int), "classes": np.array(["a"])},
         ["this class has no name; got '1 to 1'; allowed: 0 to 0"]),
        ({"x": np.array([{}])}, ["this .npz file cannot be read"]),
    ],
)  # fmt: skip
def test_other_arrays_are_refused(arrays: dict[str, np.ndarray], parts: list[str], tmp_path: Path) -> None:
    """Witness: arrays that NumPy wrote; one would have to be unpickled."""
    np.savez(tmp_path / "a.npz", **arrays)
    sentence = message(tmp_path / "a.npz")
    assert [part for part in parts if part not in sentence] == [], sentence


def test_a_broken_npz_is_named(tmp_path: Path) -> None:
    """Witness: the file cut in half, and a text."""
    path = arrays_of(tmp_path)
    for content in (path.read_bytes()[:500], b"words"):
        path.write_bytes(content)
        assert f"{path}: this .npz file cannot be read" in message(path)


@pytest.mark.data
def test_the_sample_as_it_is_distributed(data_dir: Path) -> None:
    """Witness: the arrays of its npz and the order of its classes; tarfile's own count of the archive."""
    found = list(read_image_rows(str(data_dir / "cifar10" / "tiny_500_100.npz"), "test"))
    with np.load(data_dir / "cifar10" / "tiny_500_100.npz") as arrays:
        assert np.array_equal(np.stack([row.fields["image"] for row in found]), arrays["x_test"])
        assert [row.fields["label"] for row in found] == [str(arrays["classes"][n]) for n in arrays["y_test"]]
    with tarfile.open(data_dir / "cifar10" / "test_4k.tar.gz") as archive:
        names = [member.name for member in archive if member.isfile()]
    rows = list(read_image_rows(str(data_dir / "cifar10" / "test_4k.tar.gz"), "test"))
    assert [row.fields["file"] for row in rows] == names and {row.fields["image"].shape for row in rows} == {
        (32, 32, 3)
    }
