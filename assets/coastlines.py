"""Writes coastlines-110m.bin from the land outlines of Natural Earth at 1:110,000,000.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python3 coastlines.py package/land-110m.json coastlines-110m.bin

The input is TopoJSON whose outlines go unbroken over the 180th meridian and have no edge along it or at the pole.
The output, little-endian: the number of lines (u16); of each line its number of points (u16), then for each point its
longitude in units of 360/65536 degrees east and its latitude in units of 180/65536 degrees north (i16 each).
Quantising moves a point by at most 310 m, the source having been drawn for a map on which 1 mm is 110 km.
"""

import json
import struct
import sys


def main(source, target):
    topology = json.load(open(source))
    (sx, sy), (x0, y0) = topology["transform"]["scale"], topology["transform"]["translate"]
    out = [struct.pack("<H", len(topology["arcs"]))]
    for arc in topology["arcs"]:
        out.append(struct.pack("<H", len(arc)))
        x = y = 0
        for dx, dy in arc:
            x, y = x + dx, y + dy
            lon, lat = x * sx + x0, y * sy + y0
            east = (round(lon * 65536 / 360) + 32768) % 65536 - 32768
            out.append(struct.pack("<hh", east, round(lat * 65536 / 180)))
    open(target, "wb").write(b"".join(out))


main(*sys.argv[1:])
