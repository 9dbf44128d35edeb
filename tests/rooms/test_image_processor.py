"""The image processor and augmentation: images to rows, held against NumPy by hand."""

from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.image.augment import augment_image
from warmstart.image.processor import ImageProcessor
from warmstart.image.settings import AugmentSettings

DRAW = np.random.default_rng(0)
IMAGES = [DRAW.integers(0, 256, (4, 5, 3), np.uint8) for _ in range(7)]


def processor() -> ImageProcessor:
    return ImageProcessor.fit((image, f"image {number}") for number, image in enumerate(IMAGES))


def test_mean_and_std_are_those_of_the_channels() -> None:
    """Witness: NumPy's mean and std over all pixels."""
    pixels = np.stack(IMAGES).reshape(-1, 3) / 255
    assert processor().mean == pytest.approx(pixels.mean(0), abs=1e-6)
    assert processor().std == pytest.approx(pixels.std(0), abs=1e-6)


def test_rows_are_the_pixels_from_the_left() -> None:
    """Witness: each number computed by itself; over all images they have mean 0 and standard deviation 1 in each channel."""
    found = processor()
    rows = found.to_rows(IMAGES[0])
    assert rows.dtype == np.float32 and rows.shape == (4, 15) and found.vocab_size == 15
    for y, x, c in np.ndindex(4, 5, 3):
        wanted = (int(IMAGES[0][y, x, c]) / 255 - found.mean[c]) / found.std[c]
        assert rows[y, 3 * x + c] == pytest.approx(wanted, abs=1e-5)
    every = np.concatenate([found.to_rows(image) for image in IMAGES]).reshape(-1, 3)
    assert np.allclose(every.mean(0), 0, atol=1e-4) and np.allclose(every.std(0), 1, atol=1e-4)


def test_it_travels_as_a_file(tmp_path: Path) -> None:
    """Invariant: what is loaded is what was saved; a broken file is named."""
    processor().save(tmp_path)
    assert (
        ImageProcessor.load(tmp_path) == processor()
        and ImageProcessor.load(tmp_path).fingerprint == processor().fingerprint
    )
    (tmp_path / "image_processor.json").write_text('{"height": 0}')
    with pytest.raises(BadInput, match=r"image_processor\.json: this image processor cannot be read"):
        ImageProcessor.load(tmp_path)


def test_one_size_and_at_least_one_image() -> None:
    """Witness: the image that is one pixel wider, and the place that it came from."""
    odd = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(BadInput, match=r"b\.png: this image has another size; got '4 x 6'; allowed: 4 x 5"):
        ImageProcessor.fit([(IMAGES[0], "a.png"), (odd, "b.png")])
    with pytest.raises(BadInput, match="no images"):
        ImageProcessor.fit([])


def test_a_flat_channel_has_no_infinite_numbers() -> None:
    """Invariant: a black image is read as zeros."""
    black = np.zeros((2, 2, 3), np.uint8)
    assert not ImageProcessor.fit([(black, "")]).to_rows(black).any()


def test_a_moved_image_is_a_window_on_the_image_and_its_repeated_border() -> None:
    """Brute force: each draw's result is one of the windows, mirrored or not; all windows come, each about as often."""
    image, margin = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3), 1
    windows = {}
    for down in range(-margin, margin + 1):
        for right in range(-margin, margin + 1):
            seen = np.empty_like(image)
            for y, x in np.ndindex(3, 4):
                seen[y, x] = image[min(max(y + down, 0), 2), min(max(x + right, 0), 3)]
            windows[seen.tobytes()] = (down, right, False)
            windows[np.ascontiguousarray(seen[:, ::-1]).tobytes()] = (down, right, True)
    assert len(windows) == 18
    settings = AugmentSettings(shift=margin)
    counts = dict.fromkeys(windows.values(), 0)
    for number in range(3600):
        counts[windows[augment_image(image, generator(1, "noise", 0, number), settings).tobytes()]] += 1
    assert min(counts.values()) > 140 and max(counts.values()) < 260  # 200 each; four and more standard deviations


def test_nothing_asked_is_nothing_done() -> None:
    """Witness: the image itself; and without a shift only the mirror image besides."""
    image = IMAGES[0]
    still = augment_image(image, generator(1, "a"), AugmentSettings(shift=0, flip=False))
    assert np.array_equal(still, image)
    flipped = {augment_image(image, generator(1, n), AugmentSettings(shift=0)).tobytes() for n in range(20)}
    assert flipped == {image.tobytes(), np.ascontiguousarray(image[:, ::-1]).tobytes()}
