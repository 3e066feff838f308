/** A manifest entry that says of its file what was never written is damage, whatever it is about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proveEntries } from '#src/iceberg/entry-check';
import { addedEntry, type DataFileRecord } from '#src/iceberg/manifest-entry';
import { tableDefinition } from '#src/iceberg/table-definition';
import { DamagedTableError, dataFileUri, type TablePlace } from '#src/iceberg/table-place';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { dataFile, GOLD, LAKE } from '#tests/iceberg/lake-model';
import { MemoryDisk } from '#tests/support/memory-disk';

const PARTITION = 'exchange_date=2026-11-23/exchange_hour=07';

test('an entry is what the file catalog says, or damage', () => {
  const definition = tableDefinition(GOLD);
  const warehouse = new DiskWarehouse(new MemoryDisk(), LAKE);
  const place = { warehouse, definition } as unknown as TablePlace;
  const plain = dataFile(GOLD, PARTITION, 'g1', 7);
  const metrics = {
    columnSizes: { 1: 10 },
    valueCounts: { 1: 7 },
    nullCounts: { 1: 0 },
    lower: { 1: '00000001' },
    upper: { 1: '00000002' },
    splitOffsets: [4],
  };
  const file = { ...plain, metrics };
  const entry = addedEntry(definition, file, dataFileUri(place, file.path), 5);
  proveEntries(place, [entry], [file]);
  proveEntries(place, [entry], []); // leaves the table: no matter what it says
  const wrong: Partial<DataFileRecord>[] = [
    { record_count: 8 },
    { file_size_in_bytes: 1 },
    { partition: { exchange_date: 1, exchange_hour: 7 } },
    { lower_bounds: [{ key: 1, value: Buffer.from('00000000', 'hex') }] },
    { upper_bounds: null },
    { null_value_counts: [{ key: 1, value: 1 }] },
    { split_offsets: [8] },
  ];
  for (const change of wrong) {
    const data_file = { ...entry.data_file, ...change };
    assert.throws(
      () => proveEntries(place, [{ ...entry, data_file }], [file]),
      DamagedTableError,
      JSON.stringify(change),
    );
  }
});
