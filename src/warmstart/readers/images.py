"""Images to rows: PNG and JPEG in folders and tar archives, arrays of ``.npz``; each a row with ``image`` and its class.

``[PART/]CLASS/NAME.png``: the folder that an image lies in names its class, and the one above it, if it is called train, dev
(valid, validation, val) or test, the part. In an ``.npz`` the arrays are ``x`` and ``y``, or ``x_PART`` and ``y_PART``, and
``classes`` names the numbers in ``y``. Images are RGB bytes [H, W, 3], decoded one after the other through Pillow (the extra
``images``); other modes are brought to RGB.
"""

import contextlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.paths import expand_paths
from warmstart.readers.rows import Row
from warmstart.readers.text_io import STDIN, split_extensions

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg")
NPZ, TAR = ".npz", ".tar"
SPLITS = {"train": "train", "test": "test"} | dict.fromkeys(("dev", "valid", "validation", "val"), "dev")
"""Names of parts → what they are called here."""


def contains_images(path: str) -> bool:
    """Whether a file is one of images, an archive begins with one, or most files of a folder are such."""
    if os.path.isdir(path):
        inside = [os.path.join(here, name) for here, _, names in os.walk(path) for name in names if name[0] != "."]
        return 2 * sum(map(contains_images, inside)) > len(inside)
    if split_extensions(path)[0] == TAR and os.path.isfile(path):
        with contextlib.closing(read_members(path, extension="")) as found:  # type: ignore[type-var]
            return split_extensions(next(found)[0])[0] in IMAGE_EXTENSIONS
    return split_extensions(path) in [(ending, "") for ending in (*IMAGE_EXTENSIONS, NPZ)]


def read_image_rows(path: str, part: str | None = None, *, classes: bool = True) -> Iterator[Row]:
    """The images of one source, in its order: ``image``, ``label`` (its class, where it has one) and ``file``.

    Args:
        path: a folder, a ``.tar`` (also packed), an ``.npz``, or one image.
        part: only that part, of a source that has several; a source without parts is read whole.
        classes: whether each image must have one.

    Raises:
        BadInput: no such part, no images, an image without a class, a file that is no image, or other arrays.
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
    found = False
    for row, its_part in _arrays(path) if split_extensions(path)[0] == NPZ else _pictures(path):
        if part is not None and its_part not in (None, part):
            continue
        if classes and "label" not in row.fields:
            raise BadInput(
                "an image without a class", where=row.where, allowed="CLASS/NAME.png or PART/CLASS/NAME.png",
                next_step="put the images of each class into a folder of its name",
            )  # fmt: skip
        found = True
        yield row
    if not found:
        wanted = "PNG and JPEG files" if part is None else f"images of the part {part!r}"
        raise BadInput("no images here", where=path, allowed=wanted, next_step="check the path")


def _pictures(path: str) -> Iterator[tuple[Row, str | None]]:
    """The image files of a folder or an archive, or the one that ``path`` is, each with its part."""
    if split_extensions(path)[0] == TAR:
        for name, blocks in read_members(path, extension=""):
            if split_extensions(name)[0] in IMAGE_EXTENSIONS:
                where = f"{path}:{name}"
                yield _row(PurePosixPath(name), _decoded(io.BytesIO(b"".join(blocks)), where), where)
        return
    for file in expand_paths([path], IMAGE_EXTENSIONS):
        inside = Path(file).relative_to(path) if os.path.isdir(path) else PurePath(os.path.basename(file))
        with open(file, "rb") as stream:
            yield _row(inside, _decoded(stream, file), file)


def _row(inside: PurePath, image: Image, where: str) -> tuple[Row, str | None]:
    """A row, its class and part told by the folders that it lies in."""
    folders = inside.parts[:-1]
    fields = {"image": image, "file": inside.as_posix()}
    part = SPLITS.get(folders[-2]) if len(folders) > 1 else None
    if folders and not (len(folders) == 1 and folders[0] in SPLITS):
        fields["label"] = folders[-1]
    elif folders:
        part = SPLITS[folders[0]]
    return Row(fields, where), part


def _decoded(stream: IO[bytes], where: str) -> Image:
    try:
        import PIL.Image
    except ImportError:
        raise BadInput(
            "reading images needs the pillow package", where=where, next_step="pip install 'warmstart[images]'"
        ) from None
    try:
        with PIL.Image.open(stream, formats=("PNG", "JPEG")) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise BadInput(
            f"not a readable image ({str(error).partition('<')[0].strip()})", where=where, allowed="PNG, JPEG",
            next_step="fetch or make the file again, or take it out",
        ) from None  # fmt: skip


def _arrays(path: str) -> Iterator[tuple[Row, str | None]]:
    """The images of an ``.npz``, each with its part."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file):  # anything else, numpy would take for another format
            file.seek(0)
            with np.load(file) as found:
                arrays = {name: found[name] for name in found.files}
    except FileNotFoundError:
        raise BadInput("file not found", where=path, next_step="check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            f"not a readable .npz file ({error})", where=path, next_step="fetch or make the file again"
        ) from None
    images = [name for name in arrays if name == "x" or name.startswith("x_")]
    if not images:
        raise BadInput(
            "no images in this file", where=path, value=list(arrays), allowed="arrays x and y, or x_train and y_train"
        )
    names = [str(name) for name in arrays.get("classes", ())]
    for name in images:
        labels = _labels(arrays, name, names, path)
        part = SPLITS.get(name.removeprefix("x_"))
        for number, image in enumerate(_checked(arrays[name], f"{path}, {name}")):
            label = {} if labels is None else {"label": labels[number]}
            place = f"{name}[{number}]"
            yield Row({"image": image, "file": place} | label, f"{path}, {place}"), part


def _checked(images: NDArray[Any], where: str) -> Image:
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise BadInput(
            "not an array of images", where=where, value=f"{images.dtype} {list(images.shape)}",
            allowed="uint8 [images, height, width, 3]",
        )  # fmt: skip
    return images


def _labels(arrays: dict[str, NDArray[Any]], images: str, names: Sequence[str], path: str) -> list[str] | None:
    """The name of each image's class; ``None`` where none are given."""
    name = f"y{images.removeprefix('x')}"
    if name not in arrays:
        return None
    given = arrays[name].reshape(-1)
    if len(given) != len(arrays[images]) or given.dtype.kind not in "iu":
        raise BadInput(
            "not the classes of the images", where=f"{path}, {name}", value=f"{given.dtype} {list(arrays[name].shape)}",
            allowed=f"whole numbers, one for each of the {len(arrays[images])} images",
        )  # fmt: skip
    if not names:
        return [str(number) for number in given.tolist()]
    if len(given) and not 0 <= given.min() <= given.max() < len(names):
        raise BadInput(
            "a class without a name", where=f"{path}, {name}", value=f"{given.min()} to {given.max()}",
            allowed=f"0 to {len(names) - 1}, as in the array classes",
        )  # fmt: skip
    return [names[number] for number in given.tolist()]
