"""What a file is, by its first bytes; "" where they say nothing that is known here."""

from __future__ import annotations

LOOKED_AT = 64
"""Bytes that are enough to tell."""


def image(head: bytes) -> str:
    """One of "png", "jpg", "gif", "webp"."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def audio(head: bytes) -> str:
    """One of "wav", "mp3", "flac", "ogg", "m4a", "aac"."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if head[4:8] == b"ftyp" and head[8:11] == b"M4A":
        return "m4a"
    return _mpeg_audio(head)


def _mpeg_audio(head: bytes) -> str:
    """An ID3 tag, or the 11 bits that begin a frame; of the next ones, layer 0 means AAC."""
    if head.startswith(b"ID3"):
        return "mp3"
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    return "mp3" if head[1] & 0x06 else "aac" if head[1] & 0xF0 == 0xF0 else ""


def video(head: bytes) -> str:
    """One of "mp4", "webm", "gif"."""
    if head[4:8] == b"ftyp" and head[8:11] != b"M4A":
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:LOOKED_AT]:
        return "webm"
    return "gif" if image(head) == "gif" else ""
