# SPDX-License-Identifier: Apache-2.0
"""Media to put into the devices: small FAT disks, written here byte by byte so that the host needs no tools or rights.

Layout of FAT16: Microsoft, "FAT: General Overview of On-Disk Format", 1.03.
"""
from __future__ import annotations

import struct

SECTOR = 512
_PARTITION_START = 2048             # sectors; where every present-day tool begins the first partition
_SECTORS_PER_CLUSTER = 4
_ROOT_ENTRIES = 512
SECRET = b"RECOGNISABLE-CONTENT-OF-THE-STICK\n"


def _boot_sector(sectors: int, fat_sectors: int, volume_id: int) -> bytes:
    """The BIOS parameter block of a FAT16 volume."""
    head = struct.pack("<3s8sHBHBHHBHHHII", b"\xeb\x3c\x90", b"MSDOS5.0", SECTOR, _SECTORS_PER_CLUSTER, 1, 2,
                       _ROOT_ENTRIES, sectors if sectors < 65536 else 0, 0xF8, fat_sectors, 63, 255,
                       _PARTITION_START, sectors if sectors >= 65536 else 0)
    tail = struct.pack("<BBBI11s8s", 0x80, 0, 0x29, volume_id, b"TESTSTICK  ", b"FAT16   ")
    return (head + tail).ljust(510, b"\0") + b"\x55\xaa"


def _directory_entry(name: str, cluster: int, size: int) -> bytes:
    """An 8.3 entry of 32 bytes; raises ValueError for a longer name."""
    stem, _, extension = name.upper().partition(".")
    if len(stem) > 8 or len(extension) > 3:
        raise ValueError(f"{name}: not a name of 8.3 characters")
    return struct.pack("<11sBBBHHHHHHHI", (stem.ljust(8) + extension.ljust(3)).encode("ascii"), 0x20, 0, 0, 0, 0x5B21,
                       0x5B21, 0, 0, 0x5B21, cluster, size)


def fat_volume(files: dict[str, bytes], size_mb: int, volume_id: int) -> bytes:
    """A FAT16 volume (9 to 120 MB) with these files in its root folder."""
    sectors = size_mb * 2048
    clusters = sectors // _SECTORS_PER_CLUSTER
    fat_sectors = (clusters + 2) * 2 // SECTOR + 1
    fat = [0xFFF8, 0xFFFF]
    directory, data = b"", b""
    cluster_bytes = SECTOR * _SECTORS_PER_CLUSTER
    for name, content in files.items():
        first, count = len(fat), max(1, -(-len(content) // cluster_bytes))
        fat += [*range(first + 1, first + count), 0xFFFF]
        directory += _directory_entry(name, first, len(content))
        data += content.ljust(count * cluster_bytes, b"\0")
    table = struct.pack(f"<{len(fat)}H", *fat).ljust(fat_sectors * SECTOR, b"\0")
    volume = _boot_sector(sectors, fat_sectors, volume_id) + table * 2 + directory.ljust(_ROOT_ENTRIES * 32, b"\0") + data
    if len(volume) > sectors * SECTOR:
        raise ValueError(f"the files do not fit into {size_mb} MB")
    return volume.ljust(sectors * SECTOR, b"\0")


def stick_image(files: dict[str, bytes] | None = None, size_mb: int = 16, volume_id: int = 0x534B4D31) -> bytes:
    """A disk as sold: an MBR with one FAT16 partition. Without `files` it holds SECRET.TXT."""
    volume = fat_volume({"SECRET.TXT": SECRET} if files is None else files, size_mb, volume_id)
    entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0x0E, b"\xfe\xff\xff", _PARTITION_START, len(volume) // SECTOR)
    record = bytes(440) + struct.pack("<IH", volume_id, 0) + entry + bytes(48) + b"\x55\xaa"
    return record.ljust(_PARTITION_START * SECTOR, b"\0") + volume
