"""The types of what runs leave behind, by the name scripts import them from."""

from __future__ import annotations

from metalab.records import ArtifactDescriptor, Metric, Provenance, RunRecord, Status

__all__ = ["ArtifactDescriptor", "Metric", "Provenance", "RunRecord", "Status"]
