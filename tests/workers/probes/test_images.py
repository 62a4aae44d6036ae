"""Decoding of pictures and masks of every mode, and of bytes that are none."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.errors import Invalid
from workers.probes.images import check_image, decode_color_mask, decode_image, decode_mask

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 9, 3), np.uint8)


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.fromarray(PIXELS).convert(mode)
    assert np.array_equal(np.asarray(decode_image(saved(image), "x", 100)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("format", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("WEBP", "RGBA")])
def test_every_format_is_decoded(format: str, mode: str) -> None:
    data = saved(Image.fromarray(PIXELS).convert(mode), format)
    decoded = decode_image(data, "x", 100)
    assert (decoded.mode, decoded.size) == ("RGB", (9, 6))
    assert np.array_equal(np.asarray(decoded), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = np.array([[0, 257, 32_768, 65_535]], np.uint16)
    assert np.asarray(decode_image(saved(Image.fromarray(deep)), "x", 100))[0, :, 0].tolist() == [0, 1, 127, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(PIXELS), "PNG", exif=exif)
    turns = {1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1]}
    across = PIXELS.transpose(1, 0, 2)
    turns |= {5: across, 6: across[:, ::-1], 7: across[::-1, ::-1], 8: across[::-1]}
    assert np.array_equal(np.asarray(decode_image(data, "x", 100)), turns[orientation])
    assert check_image(data, "x", 100) == ((6, 9), orientation >= 5)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("palette", [False, True])
def test_masks_keep_their_numbers_at_any_depth(bits: int, palette: bool) -> None:
    numbers = np.random.default_rng(bits).integers(0, 2**bits, (5, 7)).astype(np.uint8)
    assert np.array_equal(decode_mask(raw_png(numbers, bits, palette), "x", 100), numbers)


def test_masks_of_sixteen_bits_keep_their_numbers() -> None:
    numbers = np.array([[0, 1, 256, 65_535]], np.uint16)
    assert np.array_equal(decode_mask(saved(Image.fromarray(numbers)), "x", 100), numbers)


def raw_png(numbers: np.ndarray, bits: int, palette: bool) -> bytes:
    """A PNG written by hand, since Pillow writes no grey levels of 2 or 4 bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = numbers.shape
    rows = ["".join(f"{number:0{bits}b}" for number in row) for row in numbers]
    rows = [row + "0" * (-len(row) % 8) for row in rows]
    packed = b"".join(b"\0" + int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 3 if palette else 0, 0, 0, 0))
    colours = chunk(b"PLTE", bytes(range(256))[: 3 * 2**bits] * (3 if bits == 8 else 1)) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + head + colours + chunk(b"IDAT", zlib.compress(packed)) + chunk(b"IEND", b"")


def test_other_formats_and_lossy_masks_are_refused() -> None:
    with pytest.raises(Invalid, match=r"photo\.gif holds no PNG"):
        decode_image(saved(Image.fromarray(PIXELS), "GIF"), "photo.gif", 100)
    with pytest.raises(Invalid, match=r"mask\.png holds no PNG"):
        decode_mask(saved(Image.fromarray(PIXELS), "JPEG"), "mask.png", 100)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_the_numbers_of_a_colour_mask_are_its_colours(mode: str) -> None:
    colors = np.array([[[1, 0, 0], [0, 2, 0]], [[0, 0, 3], [255, 254, 253]]], np.uint8)
    image = Image.fromarray(colors)
    data = saved(image.quantize(4) if mode == "P" else image.convert(mode))
    assert decode_color_mask(data, "x", 100).tolist() == [[1, 512], [196_608, 255 + 254 * 256 + 253 * 65_536]]


def test_a_grey_mask_where_colours_count_is_refused() -> None:
    with pytest.raises(Invalid, match=r"x is in grey \(L\)"):
        decode_color_mask(saved(Image.fromarray(PIXELS[..., 0])), "x", 100)


def test_a_size_is_refused_before_its_pixels_are_decoded() -> None:
    bomb = bytearray(saved(Image.fromarray(PIXELS)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    with pytest.raises(Invalid, match="60000 x 60000"):
        decode_image(bytes(bomb), "bomb.png", 64 * 10**6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read", "ignore:Possibly corrupt EXIF")
@settings(max_examples=300, deadline=None)
@given(data=st.data(), format=st.sampled_from(["PNG", "JPEG", "WEBP"]), exif=st.booleans())
def test_damaged_bytes_are_decoded_or_refused_but_never_raise_anything_else(data, format: str, exif: bool) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    whole = bytearray(saved(Image.fromarray(PIXELS), format, **({"exif": tags} if exif else {})))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    spoiled = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for read in (check_image, decode_image, decode_mask, decode_color_mask):
        try:
            read(spoiled, "x", 10_000)
        except Invalid as refusal:
            assert "x" in refusal.detail
