"""Reports: the runs of a Results as one page that needs neither a store nor a network."""

from metalab.results.report.contents import contents_of
from metalab.results.report.headline import Mode
from metalab.results.report.page import is_report, write_report

__all__ = ["Mode", "contents_of", "is_report", "write_report"]
