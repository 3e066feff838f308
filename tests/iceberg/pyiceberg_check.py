"""Opens Bullion's tables with PyIceberg, by metadata file and through the REST catalog, and compares
what it reads with what `bullion trades` said. Started by tests/iceberg/pyiceberg.check.ts:

    python pyiceberg_check.py <file that says where everything is, and the expected figures>
"""

import json
import sys
import urllib.error
import urllib.request
import warnings
from decimal import Decimal
from importlib.metadata import version

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import load_file_io
from pyiceberg.table import StaticTable

warnings.filterwarnings("ignore")

TIMEFRAMES = ["1m", "5m", "15m", "30m", "1h", "1d"]
GOLD_TYPES = {
    "message_id": "string",
    "timestamp": "timestamptz",
    "price": "decimal(18, 8)",
    "quantity": "decimal(18, 8)",
    "trade_conditions": "list<string>",
    "source_sequence": "long",
    "vendor_data": "map<string, string>",
    "exchange_date": "date",
    "exchange_hour": "int",
}
CANDLE_TYPES = {
    "window_start": "timestamptz",
    "open_price": "decimal(18, 8)",
    "volume": "decimal(38, 8)",
    "quote_volume": "decimal(38, 16)",
    "revision": "int",
    "is_final": "boolean",
}
checks = 0


def check(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"{what}: expected {expected!r}, got {actual!r}")
    print(f"ok  {what}: {actual}")


def column_sum(table, name):
    """Exact: pyarrow adds decimals as 128-bit integers."""
    return pc.sum(table.column(name)).as_py() or Decimal(0)


def types_of(table, names):
    return {name: str(table.schema().find_field(name).field_type) for name in names}


def check_gold(how, table, expected):
    rows = table.scan().to_arrow()
    check(f"{how}: trades in gold", rows.num_rows, expected["trades"])
    check(f"{how}: types", types_of(table, GOLD_TYPES), GOLD_TYPES)
    check(f"{how}: price column", rows.schema.field("price").type, pa.decimal128(18, 8))
    check(f"{how}: sum of prices", str(column_sum(rows, "price")), expected["price"])
    check(f"{how}: sum of quantities", str(column_sum(rows, "quantity")), expected["quantity"])
    check(f"{how}: distinct message ids", len(set(rows["message_id"].to_pylist())), expected["trades"])
    all_files = list(table.scan().plan_files())
    for part in expected["partitions"]:
        scan = table.scan(
            row_filter=f"exchange_date = '{part['date']}' and exchange_hour = {part['hour']}"
        )
        files = [task.file for task in scan.plan_files()]
        folder = f"exchange_date={part['date']}/exchange_hour={part['hour']:02d}/"
        name = f"{how}: {part['date']} {part['hour']:02d} h"
        check(f"{name}, files of other partitions", [f.file_path for f in files if folder not in f.file_path], [])
        check(f"{name}, files", len(files), sum(folder in t.file.file_path for t in all_files))
        check(f"{name}, trades", scan.to_arrow().num_rows, part["trades"])
        check(f"{name}, sum of quantities", str(column_sum(scan.to_arrow(), "quantity")), part["quantity"])
    nothing = table.scan(row_filter="exchange_date = '2001-01-01'")
    check(f"{how}: files of a day that is not there", len(list(nothing.plan_files())), 0)
    # Bounds of the columns leave files out, too: no price is that high.
    check(f"{how}: files by price bounds", len(list(table.scan(row_filter="price > 9000000").plan_files())), 0)
    for symbol, count in expected["symbols"].items():
        check(f"{how}: {symbol}", table.scan(row_filter=f"symbol = '{symbol}'").to_arrow().num_rows, count)


def check_candles(how, load, expected):
    for timeframe in TIMEFRAMES:
        table = load(f"gold_ohlcv_{timeframe}")
        rows = table.scan().to_arrow()
        check(f"{how}: {timeframe} types", types_of(table, CANDLE_TYPES), CANDLE_TYPES)
        check(f"{how}: {timeframe} trades in candles", pc.sum(rows["trade_count"]).as_py(), expected["trades"])
        check(f"{how}: {timeframe} volume", str(column_sum(rows, "volume")), expected["quantity"])
        check(f"{how}: {timeframe} quote volume", str(column_sum(rows, "quote_volume")), expected["quote"])


def check_history(how, table):
    """Every snapshot that is kept can be read, and its own totals are right."""
    for snapshot in table.metadata.snapshots:
        rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows
        epoch = snapshot.summary.additional_properties["bullion.epoch"]
        name = f"{how}: {table.name()[-1]} at epoch {epoch} ({snapshot.summary.operation.value})"
        check(name, str(rows), snapshot.summary.additional_properties["total-records"])


def check_catalog(how, catalog, expected):
    check(f"{how}: namespaces", catalog.list_namespaces(), [("market_data",)])
    tables = [name for _, name in catalog.list_tables("market_data")]
    check(f"{how}: tables", len(tables), 14)
    check(f"{how}: a table that is not there", catalog.table_exists("market_data.nothing"), False)
    try:
        catalog.load_table("market_data.nothing")
        sys.exit("a table that is not there was loaded")
    except NoSuchTableError:
        pass
    check_gold(how, catalog.load_table("market_data.gold_crypto_trades"), expected)
    check_candles(how, lambda name: catalog.load_table(f"market_data.{name}"), expected)
    silver = 0
    for name in tables:
        table = catalog.load_table(f"market_data.{name}")
        check_history(how, table)
        if name.startswith("silver_") and name != "silver_dlq_trades":
            silver += table.scan().to_arrow().num_rows
    check(f"{how}: trades in silver", silver, expected["silver"])


def check_read_only(uri):
    for verb in ["POST", "DELETE"]:
        request = urllib.request.Request(f"{uri}/v1/namespaces/market_data", method=verb)
        try:
            urllib.request.urlopen(request)
            sys.exit(f"the read-only catalog took a {verb}")
        except urllib.error.HTTPError as refusal:
            error = json.load(refusal)["error"]
            check(f"REST: {verb}", (error["code"], error["type"]), (405, "UnsupportedOperationException"))


def main(request_path):
    print(f"pyiceberg {version('pyiceberg')}, pyarrow {pa.__version__}")
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    lake, properties, expected = request.get("lake"), request["properties"], request["expected"]

    def by_file(name):
        folder = f"{lake}/{name}/metadata"
        hint = load_file_io(properties, folder).new_input(f"{folder}/version-hint.text")
        newest = int(hint.open().read())
        return StaticTable.from_metadata(f"{folder}/v{newest}.metadata.json", properties)

    if lake is not None:
        check_gold("by file", by_file("gold_crypto_trades"), expected)
        check_candles("by file", by_file, expected)
    for uri in request["catalogs"]:
        how = "REST" if uri == request["own"] else "other REST"
        check_catalog(how, RestCatalog("bullion", uri=uri, **properties), expected)
    check_read_only(request["own"])
    print(f"{checks} checks passed")


main(*sys.argv[1:])
