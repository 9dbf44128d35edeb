"""Reads images as rows: PNG and JPEG files in folders and tar archives, and arrays in ``.npz`` files.

``[SPLIT/]CLASS/NAME.png``: the folder of an image names its class, and the folder above names its split, if that is train,
dev (valid, validation, val) or test. An ``.npz`` has the arrays ``x`` and ``y``, or ``x_SPLIT`` and ``y_SPLIT``; ``classes``
names the numbers in ``y``. Images are RGB bytes [H, W, 3]. Pillow (the extra ``images``) decodes them one after the other
and converts other modes to RGB: colours of a palette are looked up, an alpha channel is dropped, grey of 16 bits keeps its
upper 8, as Pillow keeps those of colours of 16 bits.
"""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.npz import read_npz_arrays
from warmstart.readers.paths import expand_paths
from warmstart.readers.rows import Row
from warmstart.readers.text_io import RESTORE, STDIN, split_extensions

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg")
NPZ, TAR = ".npz", ".tar"
DEEP_GREY = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of a PNG with 16 bits of grey."""
SPLITS = {"train": "train", "test": "test"} | dict.fromkeys(("dev", "valid", "validation", "val"), "dev")
"""The name of a split in a path or an array → its name here."""


def contains_images(path: str) -> bool:
    """Whether a file has images, the first file of an archive is an image, or most files of a folder are images."""
    if os.path.isdir(path):
        files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names if name[0] != "."]
        return 2 * sum(map(contains_images, files)) > len(files)
    if split_extensions(path)[0] == TAR and os.path.isfile(path):
        with contextlib.closing(read_members(path, extension="")) as members:  # type: ignore[type-var]
            return split_extensions(next(members)[0])[0] in IMAGE_EXTENSIONS
    return split_extensions(path) in [(extension, "") for extension in (*IMAGE_EXTENSIONS, NPZ)]


def read_image_rows(path: str, split: str | None = None, *, needs_class: bool = True) -> Iterator[Row]:
    """The images of one source, in its order: ``image``, ``label`` (its class, where it has one) and ``file``.

    Args:
        path: a folder, a ``.tar`` (also compressed), an ``.npz``, or one image.
        split: read only the images of this split; a source without splits is read as a whole.
        needs_class: whether an image without a class is an error.

    Raises:
        BadInput: no such split, no images, an image without a class, a file that is no image, or other arrays.
    """
    if (
        not os.path.isdir(path)
        and (path == STDIN or os.path.exists(path))
        and split_extensions(path)[0] not in (NPZ, TAR, *IMAGE_EXTENSIONS)
    ):
        raise BadInput(
            "not a source of images", where=path,
            allowed=f"a folder, {', '.join((*IMAGE_EXTENSIONS, TAR, NPZ))}",
            next_step="put the images into a folder or an archive",
        )  # fmt: skip
    is_empty = True
    rows = _read_npz(path) if split_extensions(path)[0] == NPZ else _read_files(path)
    for row, row_split in rows:
        if split is not None and row_split not in (None, split):
            continue
        if needs_class and "label" not in row.fields:
            raise BadInput(
                "this image has no class", where=row.where, allowed="CLASS/NAME.png or SPLIT/CLASS/NAME.png",
                next_step="put the images of each class into a folder with its name",
            )  # fmt: skip
        is_empty = False
        yield row
    if is_empty:
        allowed = "PNG and JPEG files" if split is None else f"images of the split {split!r}"
        raise BadInput("there are no images here", where=path, allowed=allowed, next_step="check the path")


def _read_files(path: str) -> Iterator[tuple[Row, str | None]]:
    """The image files of a folder or an archive, or the file ``path`` itself, each with its split."""
    if split_extensions(path)[0] == TAR:
        for name, blocks in read_members(path, extension=""):
            if split_extensions(name)[0] in IMAGE_EXTENSIONS:
                where = f"{path}:{name}"
                yield _row(PurePosixPath(name), _decode_image(io.BytesIO(b"".join(blocks)), where), where)
        return
    for file in expand_paths([path], IMAGE_EXTENSIONS):
        inside = Path(file).relative_to(path) if os.path.isdir(path) else PurePath(os.path.basename(file))
        with open(file, "rb") as stream:
            yield _row(inside, _decode_image(stream, file), file)


def _row(name: PurePath, image: Image, where: str) -> tuple[Row, str | None]:
    """A row and its split; the folders of the image name its class and its split.

    Raises:
        BadInput: a name that is not UTF-8, which no file of results could hold.
    """
    try:
        name.as_posix().encode("utf-8")
    except UnicodeEncodeError:
        raise BadInput(
            "a name that is not UTF-8", where=ascii(where)[1:-1], allowed="names of files and folders in UTF-8",
            next_step="rename it",
        ) from None  # fmt: skip
    folders = name.parts[:-1]
    fields = {"image": image, "file": name.as_posix()}
    split = SPLITS.get(folders[-2]) if len(folders) > 1 else None
    if folders and not (len(folders) == 1 and folders[0] in SPLITS):
        fields["label"] = folders[-1]
    elif folders:
        split = SPLITS[folders[0]]
    return Row(fields, where), split


def _decode_image(stream: IO[bytes], where: str) -> Image:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError:
        raise BadInput(
            "reading images needs the pillow package", where=where, next_step="pip install 'warmstart[images]'"
        ) from None
    try:
        with PIL.Image.open(stream, formats=("PNG", "JPEG")) as file:
            image = PIL.ImageOps.exif_transpose(file)  # upright, as cameras say that it was held
            if image.mode in DEEP_GREY:  # convert() would clip these to 255, which is white
                grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            image.info.pop("transparency", None)  # is dropped as an alpha channel is
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise BadInput(
            f"this image cannot be read ({str(error).partition('<')[0].strip()})", where=where, allowed="PNG, JPEG",
            next_step=f"{RESTORE}, or remove it",
        ) from None  # fmt: skip


def _read_npz(path: str) -> Iterator[tuple[Row, str | None]]:
    """The images of an ``.npz``, each with its split."""
    arrays = read_npz_arrays(path)
    images = [name for name in arrays if name == "x" or name.startswith("x_")]
    if not images:
        raise BadInput(
            "this file has no images", where=path, value=list(arrays), allowed="arrays x and y, or x_train and y_train"
        )
    names = [str(name) for name in arrays.get("classes", ())]
    for name in images:
        labels = _labels(arrays, name, names, path)
        split = SPLITS.get(name.removeprefix("x_"))
        for number, image in enumerate(_check_images(arrays[name], f"{path}, {name}")):
            label = {} if labels is None else {"label": labels[number]}
            place = f"{name}[{number}]"
            yield Row({"image": image, "file": place} | label, f"{path}, {place}"), split


def _check_images(images: NDArray[Any], where: str) -> Image:
    """``images`` itself."""
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise BadInput(
            "not an array of images", where=where, value=f"{images.dtype} {list(images.shape)}",
            allowed="uint8 [images, height, width, 3]",
        )  # fmt: skip
    return images


def _labels(arrays: dict[str, NDArray[Any]], images: str, names: Sequence[str], path: str) -> list[str] | None:
    """The name of each image's class; ``None`` where the file has no classes."""
    name = f"y{images.removeprefix('x')}"
    if name not in arrays:
        return None
    numbers = arrays[name].reshape(-1)
    if len(numbers) != len(arrays[images]) or numbers.dtype.kind not in "iu":
        raise BadInput(
            "not the classes of the images", where=f"{path}, {name}", value=f"{numbers.dtype} {list(arrays[name].shape)}",
            allowed=f"whole numbers, one for each of the {len(arrays[images])} images",
        )  # fmt: skip
    if not names:
        return [str(number) for number in numbers.tolist()]
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(names):
        raise BadInput(
            "this class has no name", where=f"{path}, {name}", value=f"{numbers.min()} to {numbers.max()}",
            allowed=f"0 to {len(names) - 1}, as in the array classes",
        )  # fmt: skip
    return [names[number] for number in numbers.tolist()]
