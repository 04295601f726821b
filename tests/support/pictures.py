# SPDX-License-Identifier: Apache-2.0
"""Pictures that computations make, small and large, and whether one is whole."""

import base64
import struct
import zlib

VIEW = {"width": 64, "height": 48, "center_x": -0.5, "center_y": 0, "scale": 3, "max_iterations": 200}
#: Does not compress well: more than a Kafka record can hold.
LARGE = {"width": 3840, "height": 2160, "center_x": -0.743643887037151, "center_y": 0.131825904205330, "scale": 1e-5, "max_iterations": 2400}


def operation(service, command, key):
    return "/operations/" + base64.urlsafe_b64encode(f"{service}\n{command}\n{key}".encode()).decode().rstrip("=")


def check_png(test, png, width, height):
    """Whole: every chunk's sum is right, and its pixels are as many as they must be."""
    at, data = 8, b""
    test.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
    while at < len(png):
        size, name = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        test.assertEqual(struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0], zlib.crc32(name + body))
        data += body if name == b"IDAT" else b""
        at += 12 + size
    test.assertEqual((at, len(zlib.decompress(data))), (len(png), (width + 1) * height))
