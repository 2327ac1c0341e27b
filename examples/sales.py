#!/usr/bin/env capsule-run
"""Adds up a shop's orders: revenue by month and region, the typical order, the orders that stand out.

    capsule-run --ram 512M --bind examples/sales.csv:/data/sales.csv examples/sales.py /data/sales.csv

The answer is left in sales.json of the working directory, which is /tmp/agent_sandbox.
"""
import collections
import csv
import json
import statistics
import sys

with open(sys.argv[1], newline="") as f:
    orders = list(csv.DictReader(f))

months = collections.Counter()
regions = collections.Counter()
amounts = {}
for order in orders:
    amount = int(order["quantity"]) * float(order["unit_price"])
    months[order["date"][:7]] += amount
    regions[order["region"]] += amount
    amounts[order["order"]] = amount

median = statistics.median(amounts.values())
# The median absolute deviation: unlike the standard deviation, it is not moved by what it is to find.
spread = statistics.median(abs(a - median) for a in amounts.values())
unusual = {name: round(a, 2) for name, a in amounts.items() if abs(a - median) > 15 * spread}

answer = {
    "orders": len(orders),
    "revenue": round(sum(amounts.values()), 2),
    "median_order": round(median, 2),
    "revenue_by_month": {month: round(months[month], 2) for month in sorted(months)},
    "revenue_by_region": {region: round(amount, 2) for region, amount in regions.most_common()},
    "unusual_orders": unusual,
}
with open("sales.json", "w") as f:
    json.dump(answer, f, indent=2)
    f.write("\n")
print("%d orders, revenue %.2f, %d unusual" % (answer["orders"], answer["revenue"], len(unusual)))
