"""Queries: which runs of a store, in which order, and which of their values.

What a query means is written here once, so that every store can give the same answer.

**Columns.** The record's own: those of ``metalab.store.query.pruned.RECORD``. Then
``params.NAME`` and ``metrics.NAME``; a name with other characters than letters, digits and
``_ . / -`` is quoted: ``params."learning rate"``. A bare NAME that is no column of the record
is the param or the metric of that name. If runs have it as both, or none of the store's runs
has it, the query is refused. A null is a missing value. Moments are texts: ISO 8601 in UTC
with microseconds. ``error`` is ``TYPE: MESSAGE``.

**Kinds.** A value is a boolean, a number, a text or of another kind. Values of two kinds are
never equal, and none is less than the other: ``true`` is not 1. Integers and floats compare
by their exact values, so 2**53 + 1 is not 2.0**53; -0.0 equals 0. Texts compare by code point.

**Filters** are true or false, never unknown: ``not`` always turns one into the other.
``x = nan`` holds where x is NaN, ``x = null`` and ``x is missing`` where it is missing;
nothing else holds of either but ``!=``, the opposite of ``=``. ``x ~= 'text'`` holds where x is a
text that contains the other, in the same case: no pattern, so that it takes linear time and
means the same everywhere. ``x has v`` holds where x is a list or tuple with an element equal
to v. A bare word where a value is expected is a text.

**Order.** Ascending: booleans, numbers, texts, the rest by the text of its JSON; descending
the reverse. NaN and then missing values are last in both. Ties are broken by the order of the
plan: the run's index, then its id; without a sort that is the order.

**Aggregates** group runs whose ``by`` values are equal (NaN equals NaN, missing equals
missing), and count the runs and the failed ones. Of each column they take the values that are
numbers, NaN excepted: their number ``n``, ``mean``, ``sd`` (of a sample, by n - 1), ``min``,
``max``, and the 95 % confidence interval of the mean from ``low`` to ``high``, which is mean
-+ t * sd / sqrt(n), where t is the 0.975 quantile of Student's distribution with n - 1 degrees
of freedom. What too few values do not define is missing. A group stands where its first run
does in the plan, and shows that run's ``by`` values. Sort, limit, offset and columns then
apply to the groups.
"""
