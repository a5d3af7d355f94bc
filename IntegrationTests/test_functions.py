"""Functions as a user meets them: aggregates beside numpy and pandas, categories with a file of synonyms."""

import json
import random
import re
import statistics

import numpy
import pytest

from conftest import free_port, get, wait_for

MINUTE = 60_000
START = 1_700_000_040_000
PROJECT = """
project: shop
sources:
  orders: {kind: file, path: orders.jsonl, stream: orders}
vocabularies:
  product: {synonyms: products.csv, unknown: OTHER}
streams:
  orders:
    key: shop
    time: at
    fields: {shop: string, at: int, product: string?, price: double, customer: int}
views:
  kinds:
    from: orders
    columns:
      kind: canonical(product)
      plain: canonical(lower(product))
      sku: regex_match(product, "(?i)^sh.+s$")
      bands: bollinger(price, 20, 2)
      rank: rank_over(price, 10)
      reach: atr(price + 1, price - 1, price, 14)
  minutes:
    from: orders
    window: {length: 10m}
    columns:
      spread: std(price)
      customers: count_distinct(customer)
      kinds: count_distinct(product)
      median: quantile(price, 0.5)
      high: quantile(price, 0.9)
      orders: count()
"""
SYNONYMS = "SHOE, sneaker, \"boot, high\"\nGLASS\n# no more\n"
KINDS = {
    "shoes": "SHOE", " Shoe ": "SHOE", "SNEAKERS": "SHOE", "boot, high": "SHOE", "glasses": "GLASS", "Glass": "GLASS", "hats": "OTHER",
    "": None, None: None}


def orders(count, seed=5):
    draw = random.Random(seed)
    found = []
    for index in range(count):
        found.append({
            "shop": draw.choice("AB"), "at": START + index * 400, "product": draw.choice(list(KINDS)),
            "price": round(draw.lognormvariate(3, 0.4), 2), "customer": draw.randrange(700)})
    return found


@pytest.fixture
def project(tmp_path):
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "mlops.yaml").write_text(PROJECT)
    (directory / "products.csv").write_text(SYNONYMS)
    return directory


def write(project, events):
    (project / "orders.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def feed(mlops, project):
    mlops.run("produce", "--once", "--speed", "max", "--admin-port", 0, "--project", project)
    return mlops.run("features", "--once", "--project", project)


def test_aggregates_are_those_of_numpy(mlops, project):
    events = orders(9_000)
    write(project, events)
    feed(mlops, project)
    rows = mlops.rows("minutes")
    assert sum(row["orders"] for row in rows) == len(events)
    beyond = 0
    for row in rows:
        own = [
            event for event in events
            if event["shop"] == row["shop"] and row["window_start_ms"] <= event["at"] < row["window_end_ms"]]
        prices = [event["price"] for event in own]
        assert row["spread"] == pytest.approx(numpy.std(prices), rel=1e-9)
        assert row["kinds"] == len({event["product"] for event in own if event["product"] is not None})
        customers, exact = len({event["customer"] for event in own}), row["customers"]
        assert exact == customers if customers <= 512 else abs(exact - customers) <= 4 * 0.01625 * customers
        for name, share in (("median", 0.5), ("high", 0.9)):
            # Exact up to 256 values, then within 1/256 of the two values it lies between.
            assert row[name] == pytest.approx(numpy.quantile(prices, share), rel=1e-12 if len(prices) <= 256 else 1 / 256)
        beyond += len(prices) > 256
    assert beyond > 3


def test_categories_are_brought_together_and_unknown_ones_counted(mlops, project):
    events = orders(1_000)
    write(project, events)
    port = free_port()
    features = mlops.start("features", "--admin-port", port, "--project", project)
    mlops.run("produce", "--once", "--speed", "max", "--admin-port", 0, "--project", project)
    wait_for(lambda: mlops.committed("features/orders", "orders") == mlops.end("orders") > 0, "the work done", process=features)
    rows = {shop: [row for row in mlops.rows("kinds") if row["shop"] == shop] for shop in "AB"}
    looked = unknown = 0
    for shop, found in rows.items():
        own = [event for event in events if event["shop"] == shop]
        assert len(found) == len(own)
        for row, event in zip(found, own):
            product = event["product"]
            assert row["kind"] == KINDS[product]
            assert row["sku"] == (None if product is None else bool(re.search("(?i)^sh.+s$", product)))
            assert row["plain"] == {"SNEAKERS": "SNEAKER", "boot, high": "BOOT, HIGH", "hats": "HAT"}.get(product, KINDS[product])
            looked += KINDS[product] is not None
            unknown += KINDS[product] == "OTHER"
    metrics = get(f"http://127.0.0.1:{port}/metrics").text
    assert f'mlops_features_canonical_values_total{{stream="orders"}} {looked}' in metrics
    assert f'mlops_features_canonical_unknown_total{{stream="orders"}} {unknown}' in metrics
    assert mlops.terminate(features) == 0


def test_indicators_are_those_of_pandas_and_survive_a_restart(mlops, project):
    events = orders(600)
    write(project, events[:217])
    feed(mlops, project)
    write(project, events)
    feed(mlops, project)
    for shop in "AB":
        found = [row for row in mlops.rows("kinds") if row["shop"] == shop]
        prices = [event["price"] for event in events if event["shop"] == shop]
        assert len(found) == len(prices)
        for index, row in enumerate(found):
            window = prices[max(0, index - 19):index + 1]
            if index < 19:
                assert row["bands_upper"] is row["bands_middle"] is row["bands_lower"] is None
            else:
                middle, reach = statistics.fmean(window), 2 * statistics.pstdev(window)
                assert [row["bands_upper"], row["bands_middle"], row["bands_lower"]] == pytest.approx(
                    [middle + reach, middle, middle - reach], rel=1e-9)
            last = prices[index - 9:index + 1]
            expected = None if index < 9 else sum(x < last[-1] for x in last) + (sum(x == last[-1] for x in last) + 1) / 2
            assert row["rank"] == expected
            assert (row["reach"] is None) == (index < 14)


def test_another_vocabulary_is_another_column(mlops, project):
    write(project, orders(50))
    feed(mlops, project)
    (project / "products.csv").write_text("# as before\nglass\n Shoe,\"boot,  high\" ,SNEAKER\n")
    assert mlops.run("features", "--once", "--project", project).stdout.startswith("0 records")
    (project / "products.csv").write_text(SYNONYMS + "HAT\n")
    said = mlops.run("features", "--once", "--project", project, status=78).stderr
    assert "kinds.kind" in said and "plain" not in said and "minutes" not in said


@pytest.mark.parametrize("text, words", [
    ("SHOE, boot\nHAT, Boots, boot\n", 'products.csv, line 2: "BOOT" belongs to HAT here and to SHOE on line 1'),
    ("SHOE, \"boot\n", "products.csv, line 1: a quote is never closed"), (None, "products.csv cannot be read: there is no such file"),
])
def test_a_file_of_synonyms_that_cannot_be_used_is_told_with_its_line(mlops, project, text, words):
    if text is None:
        (project / "products.csv").unlink()
    else:
        (project / "products.csv").write_text(text)
    said = mlops.run("check", "--project", project, status=78, data=False).stderr
    assert words in said and "mlops.yaml:6:" in said
    assert len(said.strip().splitlines()) == 1
