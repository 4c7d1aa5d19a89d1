"""Reports: the runs of a Results as one page that needs neither a store nor a network."""

from metalab.results.report.page import write_report

__all__ = ["write_report"]
