/**
 * The bronze tables over many epochs: every frame of a sealed segment below the epoch's positions is
 * in the table exactly once, whatever was appended, covered, crashed and replayed in between.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { bronzeTable } from '#schemas/bronze';
import { makeDirectoryDurably } from '#src/base/disk';
import { nodeDisk } from '#src/base/node-disk';
import { LakeEncoder } from '#src/lake/lake-encoder';
import type { LogWriter } from '#src/log/log-writer';
import { listSegments, readSeal, sealPath } from '#src/log/segment-files';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import { recoverLake } from '#src/state/recovery';
import { StateStore } from '#src/state/store';
import { tableBronze } from '#src/supervision/bronze-tables';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { query } from '#tests/lake/duckdb';
import { openLog, temporaryDirectory, withPipeline } from '#tests/pipeline/pipeline';
import { CREATED_US, epochCommit } from '#tests/state/fixtures';
import { appendFrame, frameOf, openWriter, readLog } from '#tests/support/log-fixtures';
import { NO_TABLES } from '#tests/support/no-tables';

const disk = nodeDisk();
const EXCHANGE = 'KRAKEN';
const TABLE = bronzeTable('kraken');

interface TableRow {
  readonly sequence: number;
  readonly raw: string;
}

/** The frames the table's live files hold, in order. */
async function rowsIn(store: StateStore, lakeDir: string, table: string): Promise<TableRow[]> {
  const paths = Array.from(store.files(table), ({ path }) => `'${join(lakeDir, path)}'`);
  if (paths.length === 0) return [];
  const rows = await query(
    `SELECT "sequence"::INT AS "sequence", hex(raw_frame) AS raw
     FROM read_parquet([${paths}], hive_partitioning=false) ORDER BY "sequence"`,
  );
  return rows as unknown as TableRow[];
}

function framesBelow(dir: string, end: number): TableRow[] {
  return readLog(disk, 0, dir)
    .frames.slice(0, end)
    .map(({ sequence, bytes }) => ({
      sequence,
      raw: Buffer.from(bytes).toString('hex').toUpperCase(),
    }));
}

/** Sequence after the last sealed segment that lies below `covered`. */
function sealedBelow(dir: string, covered: number): number {
  const ends = listSegments(disk, dir)
    .map((segment) => readSeal(disk, dir, segment))
    .flatMap((seal) => (seal === undefined ? [] : seal.lastSequence + 1))
    .filter((end) => end <= covered);
  return Math.max(0, ...ends);
}

/** A data directory in one exchange's worth of pieces, as the supervisor would own it. */
class Life {
  readonly root = mkdtempSync(join(tmpdir(), 'bronze-tables-'));
  readonly bronzeDir = join(this.root, 'bronze');
  readonly dir = join(this.bronzeDir, 'kraken');
  readonly lakeDir = join(this.root, 'lake');
  readonly encoder = new LakeEncoder([], { lakeDir: this.lakeDir, disk });
  store!: StateStore;
  writer!: LogWriter;
  generation = 0;
  /** What the pipeline says when it is asked. */
  behind = false;

  /** A start: the log and the lake are recovered, files no epoch names are gone. */
  async start(): Promise<void> {
    makeDirectoryDurably(disk, this.lakeDir);
    this.generation++;
    this.store = await StateStore.open(join(this.root, 'state'), { createdUs: CREATED_US });
    await recoverLake({
      warehouse: new DiskWarehouse(disk, this.lakeDir),
      store: this.store,
      tables: NO_TABLES,
    });
    this.writer = openWriter(disk, { dir: this.dir, exchange: EXCHANGE, segmentBytesMax: 700 });
  }

  async stop(): Promise<void> {
    await this.writer.close();
    await this.store.close();
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      appendFrame(this.writer, frameOf(this.writer.nextSequence));
      if (i % 3 === 0) this.writer.flush();
    }
    this.writer.flush();
  }

  /** What an epoch that covers the log up to `covered` commits, or would have. */
  async epoch(covered: number, commit: boolean): Promise<void> {
    const last = this.store.epoch();
    const progress: ExchangeProgress = {
      exchange: EXCHANGE,
      nextSequence: covered,
      watermarkUs: 0,
      frames: covered,
      control: 0,
      valid: 0,
      deadLetters: 0,
    };
    const { files, bronze } = await tableBronze(
      {
        disk,
        bronzeDir: this.bronzeDir,
        lake: async (job) => this.encoder.run(job),
        filePrefix: `g${this.generation}`,
        isBehind: async () => this.behind,
      },
      last.bronze,
      [progress],
    );
    if (!commit) return;
    const share = { progress: [progress], gold: [], instruments: [], candles: new Uint8Array(0) };
    await this.store.commitEpoch({ ...epochCommit(last.epoch + 1), ...share, files, bronze });
    await this.store.markPublished(last.epoch + 1);
  }

  dataFiles(): string[] {
    const names = readdirSync(this.lakeDir, { recursive: true }).map(String);
    return names.filter((name) => name.endsWith('.parquet')).sort();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant('append' as const), frames: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    do: fc.constantFrom('epoch' as const, 'crash before the commit' as const),
    coveredPart: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ do: fc.constant('restart' as const) }),
);

test('every sealed and covered frame is in the table once, through crashes and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const life = new Life();
      try {
        await life.start();
        let covered = 0;
        for (const at of steps) {
          if (at.do === 'append') life.append(at.frames);
          if (at.do === 'epoch' || at.do === 'crash before the commit') {
            const ahead = life.writer.writtenThrough - covered;
            const upTo = covered + Math.floor(at.coveredPart * ahead);
            await life.epoch(upTo, at.do === 'epoch');
            if (at.do === 'epoch') covered = upTo;
          }
          if (at.do === 'restart' || at.do === 'crash before the commit') {
            await life.stop();
            await life.start();
            const live = Array.from(life.store.files(TABLE), ({ path }) => path).sort();
            assert.deepEqual(life.dataFiles(), live, 'files no epoch names');
          }
          const [tabled] = life.store.epoch().bronze;
          const end = sealedBelow(life.dir, covered);
          assert.equal(tabled?.nextSequence ?? 0, end);
          assert.deepEqual(
            await rowsIn(life.store, life.lakeDir, TABLE),
            framesBelow(life.dir, end),
          );
        }
        await life.stop();
      } finally {
        life.remove();
      }
    }),
    { numRuns: 15 },
  );
});

test('a damaged seal makes its segment and the later ones wait, and is made again', async () => {
  const life = new Life();
  try {
    await life.start();
    life.append(120);
    const [, second = 0] = listSegments(disk, life.dir);
    disk.unlink(sealPath(life.dir, second));
    await life.epoch(120, true);
    assert.equal(life.store.epoch().bronze[0]?.nextSequence, second);
    await life.stop();
    await life.start();
    await life.epoch(120, true);
    const end = sealedBelow(life.dir, 120);
    assert.ok(end > second);
    assert.deepEqual(await rowsIn(life.store, life.lakeDir, TABLE), framesBelow(life.dir, end));
    await life.stop();
  } finally {
    life.remove();
  }
});

test('segments wait while the pipeline is behind', async () => {
  const life = new Life();
  try {
    await life.start();
    life.append(120);
    life.behind = true;
    await life.epoch(120, true);
    assert.deepEqual(life.store.epoch().bronze, []);
    life.behind = false;
    await life.epoch(120, true);
    const end = sealedBelow(life.dir, 120);
    assert.ok(end > 0);
    assert.equal(life.store.epoch().bronze[0]?.nextSequence, end);
    assert.deepEqual(await rowsIn(life.store, life.lakeDir, TABLE), framesBelow(life.dir, end));
    await life.stop();
  } finally {
    life.remove();
  }
});

test('an epoch of the whole pipeline tables what rolled; the open segment waits', async () => {
  const directory = temporaryDirectory();
  try {
    const dir = directory.path;
    const logDir = join(dir, 'bronze', 'kraken');
    const writer = openLog(dir, EXCHANGE, 2_000);
    for (let i = 0; i < 300; i++) {
      const bytes = Buffer.from(`{"channel":"heartbeat","n":${i}}`);
      appendFrame(writer, { ...frameOf(i), kind: 2, bytes });
      if (i % 5 === 0) writer.flush();
    }
    await writer.close();
    const end = sealedBelow(logDir, 300);
    assert.ok(end > 0 && end < 300);
    for (let again = 0; again < 2; again++) {
      await withPipeline(
        dir,
        {},
        async ({ run }) => {
          await run.finish(() => {});
        },
        async ({ store, lake }) => {
          assert.deepEqual(await rowsIn(store, lake, TABLE), framesBelow(logDir, end));
          assert.deepEqual(store.epoch().bronze, [{ exchange: EXCHANGE, nextSequence: end }]);
        },
      );
    }
  } finally {
    directory.remove();
  }
});
