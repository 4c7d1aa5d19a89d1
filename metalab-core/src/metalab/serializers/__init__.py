"""Serializers: how captured objects become bytes, found by the library the object comes from."""

from __future__ import annotations

from metalab.serializers.base import Mappable, Serializer
from metalab.serializers.registry import serializer_for, serializer_named

__all__ = ["Mappable", "Serializer", "serializer_for", "serializer_named"]
