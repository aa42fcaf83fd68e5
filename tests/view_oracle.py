"""What the views of conf/views must say, by DuckDB over the accepted events themselves: money, orders and people counted again from nothing.

Of identity, sessions, models and experiments it takes the lake's word: who is who, which visit an event belongs to. What a view says of these
it counts over their own table, and its sums over all channels or segments over the events.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb
from deltalake import DeltaTable

from lakehouse.tables.contract import Table

Rows = Sequence[tuple[Any, ...]]

# An order is what was said of it last, less its refunds. A refund is of an amount, else of its lines, else of the whole order.
_COUNTED = """
WITH told AS (
    SELECT e.* REPLACE (CAST(e.occurred_at AS TIMESTAMP) AS occurred_at), m.profile_id
    FROM silver_events e LEFT JOIN silver_identity_map m USING (actor_id) WHERE NOT e.is_bot
),
sums AS (
    SELECT
        order_id,
        arg_min(profile_id, (occurred_at, message_id)) FILTER (event = 'Order Completed') AS profile_id,
        min(occurred_at) FILTER (event = 'Order Completed') AS ordered_at,
        arg_max(revenue, (occurred_at, message_id)) FILTER (event IN ('Order Completed', 'Order Updated')) AS worth,
        sum(coalesce(revenue, list_sum([CAST(line.price * line.quantity AS DECIMAL(18, 2)) FOR line IN lines])))
            FILTER (event = 'Order Refunded') AS refunded,
        coalesce(bool_or(revenue IS NULL AND lines IS NULL) FILTER (event = 'Order Refunded'), FALSE) AS is_refunded_whole
    FROM told WHERE order_id IS NOT NULL GROUP BY order_id
),
bought AS (
    SELECT order_id, profile_id, ordered_at, CAST(ordered_at AS DATE) AS day,
        CASE WHEN is_refunded_whole THEN 0 ELSE worth - coalesce(refunded, 0) END AS revenue
    FROM sums WHERE ordered_at IS NOT NULL
),
people AS (SELECT profile_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at, count(*) AS events FROM told GROUP BY profile_id)
"""


# Of money, rounded half up: DuckDB divides as floating-point numbers.
_MEAN = "(CAST(sum(revenue) * 200 AS BIGINT) + count(*)) // (2 * count(*)) / 100"


class Check(NamedTuple):
    """Two questions that must have one answer."""

    of_view: str
    of_events: str


CHECKS: Mapping[str, Check] = {
    "orders": Check(
        "SELECT order_id, profile_id, order_date, order_number, revenue FROM orders",
        "SELECT order_id, profile_id, day, row_number() OVER (PARTITION BY profile_id ORDER BY ordered_at, order_id), revenue FROM bought",
    ),
    "order_lines": Check(
        "SELECT count(*), count(DISTINCT order_id), sum(quantity), sum(amount) FROM order_lines",
        """SELECT count(*), count(DISTINCT order_id), sum(line.quantity), sum(CAST(line.quantity * line.price AS DECIMAL(18, 2))) FROM (
            SELECT order_id, unnest(arg_max(lines, (occurred_at, message_id)) FILTER (lines IS NOT NULL)) AS line
            FROM told WHERE event IN ('Order Completed', 'Order Updated') GROUP BY order_id
        )""",
    ),
    "customers": Check(
        "SELECT profile_id, first_order_at, last_order_at, orders, revenue, average_order_value FROM customers",
        """SELECT profile_id, min(ordered_at), max(ordered_at), count(*), sum(revenue), """ + _MEAN + """
        FROM bought GROUP BY profile_id""",
    ),
    "customer_360": Check(
        "SELECT profile_id, first_seen_at, last_seen_at, events, orders, revenue FROM customer_360",
        """SELECT profile_id, first_at, last_at, events, count(order_id), coalesce(sum(revenue), 0)
        FROM people LEFT JOIN bought USING (profile_id) GROUP BY ALL""",
    ),
    "revenue_by_day": Check(
        "SELECT * FROM revenue_by_day",
        """SELECT day, count(*), count(DISTINCT profile_id), count(*) FILTER (place = 1), sum(revenue),
            """ + _MEAN + """
        FROM (SELECT *, row_number() OVER (PARTITION BY profile_id ORDER BY ordered_at, order_id) AS place FROM bought) GROUP BY day""",
    ),
    "revenue_by_channel": Check(
        "SELECT order_date, sum(orders), sum(revenue) FROM revenue_by_channel GROUP BY order_date",
        "SELECT day, count(*), sum(revenue) FROM bought GROUP BY day",
    ),
    "active_customers_by_month": Check(
        "SELECT * FROM active_customers_by_month",
        """SELECT month, count(DISTINCT told.profile_id), count(DISTINCT told.profile_id) FILTER (month = date_trunc('month', first_at)),
            count(DISTINCT bought.profile_id)
        FROM (SELECT profile_id, date_trunc('month', occurred_at) AS month FROM told) AS told JOIN people USING (profile_id)
        LEFT JOIN bought ON bought.profile_id = told.profile_id AND date_trunc('month', bought.ordered_at) = month GROUP BY month""",
    ),
    "cohort_retention": Check(
        "SELECT cohort_month, months_since, cohort_size, customers, revenue FROM cohort_retention",
        """SELECT cohort, datediff('month', cohort, date_trunc('month', ordered_at)), size, count(DISTINCT profile_id), sum(revenue)
        FROM bought JOIN (
            SELECT profile_id, date_trunc('month', min(ordered_at)) AS cohort, count(*) OVER (PARTITION BY date_trunc('month', min(ordered_at))) AS size
            FROM bought GROUP BY profile_id
        ) USING (profile_id) GROUP BY ALL""",
    ),
    "segment_sizes": Check(
        "SELECT sum(profiles), sum(orders), sum(revenue) FROM segment_sizes",
        "SELECT (SELECT count(*) FROM people), count(*), sum(revenue) FROM bought",
    ),
    "sessions_by_channel": Check(
        "SELECT session_date, channel, sessions, visitors, page_views, sessions_with_order, revenue_before_refunds FROM sessions_by_channel",
        """SELECT CAST(started_at AS DATE), channel, count(*), count(DISTINCT visitor_id), sum(page_view_count),
            count(*) FILTER (len(order_ids) > 0), sum(revenue)
        FROM silver_sessions GROUP BY ALL""",
    ),
    "acquisition_by_channel": Check(
        "SELECT month, sum(profiles), sum(customers), sum(orders), sum(revenue) FROM acquisition_by_channel GROUP BY month",
        """SELECT date_trunc('month', first_at), count(DISTINCT people.profile_id), count(DISTINCT bought.profile_id), count(order_id),
            coalesce(sum(revenue), 0)
        FROM people LEFT JOIN bought USING (profile_id) GROUP BY ALL""",
    ),
    "funnel_by_day": Check(
        "SELECT * FROM funnel_by_day",
        """SELECT CAST(occurred_at AS DATE), count(DISTINCT profile_id), count(DISTINCT profile_id) FILTER (event = 'Product Viewed'),
            count(DISTINCT profile_id) FILTER (event = 'Product Added'), count(DISTINCT profile_id) FILTER (event = 'Order Completed')
        FROM told GROUP BY ALL""",
    ),
    "top_products": Check(
        "SELECT product_id, views, carts, orders, customers, quantity, revenue FROM top_products",
        """SELECT product_id, sum(view_count), sum(cart_count), sum(order_count), count(*) FILTER (order_count > 0), sum(quantity), sum(revenue)
        FROM gold_product_affinity GROUP BY product_id""",
    ),
    "abandoned_carts": Check(
        "SELECT profile_id, products FROM abandoned_carts",
        """SELECT profile_id, count(*) FROM (
            SELECT profile_id, product_id, event, occurred_at FROM told
            WHERE type = 'track' AND event IN ('Product Added', 'Product Removed') AND product_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY profile_id, product_id ORDER BY occurred_at DESC, message_id DESC) = 1
        ) AS touched
        WHERE event = 'Product Added' AND NOT EXISTS (
            SELECT 1 FROM bought WHERE bought.profile_id = touched.profile_id AND bought.ordered_at >= touched.occurred_at
        ) GROUP BY profile_id HAVING max(occurred_at) <= (SELECT max(occurred_at) FROM told) - INTERVAL 1 HOUR""",
    ),
    "consent_by_purpose": Check(
        "SELECT sum(allowed + refused + never_asked) FROM consent_by_purpose", "SELECT 3 * count(*) FROM people"
    ),
    "experiment_results": Check(
        "SELECT experiment, metric, arm, units, difference FROM experiment_results",
        "SELECT experiment, metric, arm, units, difference FROM gold_experiment_results",
    ),
    "events_by_day": Check(
        "SELECT * FROM events_by_day",
        """SELECT CAST(occurred_at AS DATE), type, CASE WHEN type = 'track' THEN event END, count(*), count(DISTINCT profile_id)
        FROM told GROUP BY ALL""",
    ),
}  # fmt: skip


def counted(name: str, tables: Mapping[str, Table], path: Callable[[Table], str]) -> list[tuple[str, ...]]:
    """What the view must say, see `plain`. `path`: where a table of the lake is stored."""
    sql = CHECKS[name].of_events
    with duckdb.connect() as connection:
        connection.sql("SET TimeZone = 'UTC'")
        for table in tables.values():
            if table.parameter in _COUNTED + sql:
                connection.register(table.parameter, DeltaTable(path(table)).to_pyarrow_dataset())
        return plain(connection.sql(_COUNTED + sql).fetchall())


def plain(rows: Rows) -> list[tuple[str, ...]]:
    """Rows in one order, their values as texts that do not depend on who asked."""
    return sorted(tuple(map(_text, row)) for row in rows)


def _text(value: Any) -> str:
    match value:
        case bool() | None:
            return str(value)
        case Decimal() | int() | float():
            return f"{Decimal(str(value)).normalize():f}"
        case datetime():
            midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
            return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M:%S.%f}"
        case date():
            return value.isoformat()
        case _:
            return str(value)
