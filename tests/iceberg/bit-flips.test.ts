/**
 * Every bit of a manifest and of a manifest list, flipped: the check of a start finds it, or nobody
 * else's reader sees a difference. Avro has no checksums, and readers go by attributes of the
 * header's schema that ours does not look at.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile, writeFileDurably, writeFully } from '#src/base/disk';
import { decodeAvro, encodeAvro } from '#src/iceberg/avro-file';
import { MANIFEST_LIST_SCHEMA } from '#src/iceberg/avro-schemas';
import { loadTable } from '#src/iceberg/catalog';
import { proveEntries } from '#src/iceberg/entry-check';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { isLive, type ManifestEntry } from '#src/iceberg/manifest-entry';
import { tableDefinition } from '#src/iceberg/table-definition';
import { currentSnapshot, type Snapshot } from '#src/iceberg/table-metadata';
import {
  DamagedTableError,
  liveEntries,
  readManifest,
  readManifestList,
  type TablePlace,
} from '#src/iceberg/table-place';
import { seeTable } from '#tests/iceberg/independent-reader';
import { CANDLES, DAY, dataFile, GOLD, HOUR, LAKE, LakeModel } from '#tests/iceberg/lake-model';

/** Three epochs: rows added, and a candle file that replaces the earlier one. */
async function threeEpochs(): Promise<LakeModel> {
  const model = new LakeModel();
  await model.recover();
  for (let i = 0; i < 3; i++) {
    model.commit({
      added: [dataFile(GOLD, HOUR, `g${i}`, 1 + i), dataFile(CANDLES, DAY, `c${i}`, 9)],
    });
    await model.publish();
  }
  return model;
}

async function snapshotOf(model: LakeModel, table: string): Promise<Snapshot> {
  const found = await loadTable(FILE_CATALOG, model.lake.warehouse, table);
  return currentSnapshot(found!.metadata)!;
}

type Check = () => Promise<readonly ManifestEntry[]>;

/** Whether a start would make the table anew for what it reads. */
async function isFound(model: LakeModel, table: string, read: Check): Promise<boolean> {
  try {
    const entries = (await read()).filter(isLive);
    proveEntries(placeOf(model, table), entries, model.filesOf(table));
    return false;
  } catch (error) {
    assert.ok(error instanceof DamagedTableError, String((error as Error).stack));
    return true;
  }
}

const placeOf = (model: LakeModel, table: string): TablePlace => ({
  ...model.lake,
  definition: tableDefinition(table),
});

/** Every file a start reads of a table's current snapshot, and the part of the start's check that does. */
async function checksOf(model: LakeModel, table: string): Promise<Map<string, Check>> {
  const place = placeOf(model, table);
  const snapshot = await snapshotOf(model, table);
  const rows = await readManifestList(place, snapshot);
  const checks = new Map<string, Check>([
    [pathOf(snapshot['manifest-list']), () => liveEntries(place, snapshot)],
  ]);
  for (const row of rows) checks.set(pathOf(row.manifest_path), () => readManifest(place, row));
  return checks;
}

const pathOf = (uri: string): string => uri.slice('file://'.length);

/** What somebody else's reader makes of the table. */
async function seen(model: LakeModel, table: string): Promise<string> {
  try {
    const { files, snapshots } = await seeTable(model.disk, LAKE, table);
    return JSON.stringify([[...files.values()], snapshots]);
  } catch {
    return 'an error';
  }
}

function poke(model: LakeModel, path: string, at: number, byte: number): void {
  const fd = model.disk.open(path, 'update');
  writeFully(model.disk, fd, Buffer.of(byte), at);
  model.disk.close(fd);
}

for (const table of [GOLD, CANDLES]) {
  test(`a flipped bit in the manifests of ${table} is found, or no reader sees it`, async (t) => {
    const model = await threeEpochs();
    const truth = await seen(model, table);
    const differences: string[] = [];
    const counts = { files: 0, bits: 0, unfound: 0 };
    for (const [path, check] of await checksOf(model, table)) {
      assert.equal(await isFound(model, table, check), false, path);
      const bytes = readFile(model.disk, path);
      counts.files++;
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const at = bit >> 3;
        counts.bits++;
        poke(model, path, at, bytes[at]! ^ (1 << (bit & 7)));
        if (!(await isFound(model, table, check))) {
          counts.unfound++;
          const answer = await seen(model, table);
          if (answer !== truth && answer !== 'an error') differences.push(`${path} bit ${bit}`);
        }
        poke(model, path, at, bytes[at]!);
      }
    }
    t.diagnostic(JSON.stringify(counts));
    assert.deepEqual(differences, []);
  });
}

/** Takes every digest out of a table, as a version of the program that told none would have left it. */
async function forgetDigests(model: LakeModel, table: string): Promise<void> {
  const { location, metadata } = (await loadTable(FILE_CATALOG, model.lake.warehouse, table))!;
  for (const snapshot of metadata.snapshots) {
    const path = pathOf(snapshot['manifest-list']);
    const { metadata: header, records } = decodeAvro(readFile(model.disk, path));
    const kept = Object.entries(header).filter(([key]) => !/^(bullion|avro)\./.test(key));
    const list = { schema: MANIFEST_LIST_SCHEMA, metadata: Object.fromEntries(kept), records };
    writeFileDurably(model.disk, path, encodeAvro(list));
  }
  const text = readFile(model.disk, pathOf(location)).toString();
  const without = text.replaceAll(/,\s*"bullion\.manifest-list-sha256"\s*:\s*"[0-9a-f]{64}"/g, '');
  assert.notEqual(without, text);
  writeFileDurably(model.disk, pathOf(location), Buffer.from(without));
}

test('a table without digests keeps its history, and tells them from its next commit on', async () => {
  const model = await threeEpochs();
  const place = placeOf(model, GOLD);
  await forgetDigests(model, GOLD);
  const before = await seeTable(model.disk, LAKE, GOLD);
  const told = async () =>
    (await readManifestList(place, await snapshotOf(model, GOLD))).map(({ sha256 }) => sha256);
  assert.deepEqual(await told(), [undefined, undefined, undefined]);
  await model.recover();
  assert.deepEqual(await seeTable(model.disk, LAKE, GOLD), before);
  model.commit({ added: [dataFile(GOLD, HOUR, 'g3', 4)] });
  await model.publish();
  assert.equal((await told()).filter((digest) => digest !== undefined).length, 4);
  const after = await seeTable(model.disk, LAKE, GOLD);
  assert.deepEqual(after.snapshots.slice(0, -1), before.snapshots);
  // Somewhere in the schema of the oldest manifest, which the new list has taken over.
  const [path, check] = [...(await checksOf(model, GOLD))].at(-1)!;
  const at = readFile(model.disk, path).indexOf('"field-id":100') + '"field-id":10'.length;
  poke(model, path, at, '1'.charCodeAt(0));
  assert.equal(await isFound(model, GOLD, check), true);
  await model.recover();
  const anew = await seeTable(model.disk, LAKE, GOLD);
  assert.deepEqual([...anew.files.keys()].sort(), [...after.files.keys()].sort());
});
