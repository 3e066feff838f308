/**
 * What a validation shard sends before barrier n is exactly what it reports for epoch n, however its
 * steps, full rings, missing slots and barriers fall: driven here without a thread, by a seeded plan.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { ValidationActor } from '#actors/validation';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { joinInt64 } from '#src/base/int64';
import { nodeDisk } from '#src/base/node-disk';
import { Random } from '#src/base/random';
import { TradeBatch } from '#src/columns/trade-batch';
import { NO_METRICS, type StagedFile } from '#src/lake/staged-file';
import { LogReader } from '#src/log/log-reader';
import { Doorbell } from '#src/ring/doorbell';
import { BARRIER, BATCH, Ring } from '#src/ring/ring';
import { SlotPool } from '#src/ring/slot-pool';
import { ActorCounters, BOARD_BYTES_PER_ACTOR } from '#src/runtime/counters';
import type { ExchangeProgress, ValidationReport } from '#src/runtime/epoch-report';
import { validatorOf } from '#src/trades/validator-of';
import { badDay } from '#tests/pipeline/bad-day';
import { progressOf } from '#tests/pipeline/compare';
import { appendLog, newOracle } from '#tests/pipeline/logs';
import { configOf, INSTRUMENTS, temporaryDirectory } from '#tests/pipeline/pipeline';

const GOLD_SHARDS = 2;
const ROWS_PER_SLOT = 512;
/** Kraken's frames hold several trades: a step can end in the middle of one. */
const OWNED = ['BINANCE', 'KRAKEN'] as const;

function ringPair(capacity: number): { producer: Ring; consumer: Ring } {
  const memory = new SharedArrayBuffer(Ring.byteSize(capacity));
  return { producer: new Ring(memory, 0, capacity), consumer: new Ring(memory, 0, capacity) };
}

/** A file of which only the number of rows matters. */
function stagedFile(rows: number): StagedFile {
  return {
    table: DEAD_LETTERS,
    rows,
    path: '',
    partition: '',
    bytes: 0,
    sha256: '',
    metrics: NO_METRICS,
  };
}

/** What the shard has sent so far, as its consumers see it. */
interface Sent {
  rows: number;
  watermarksUs: Map<Exchange, number>;
}

/** What the oracle has counted after each frame of a log. */
type Counts = ReadonlyMap<Exchange, readonly ExchangeProgress[]>;

async function drive(dir: string, counts: Counts, seed: number): Promise<number> {
  const random = new Random(seed);
  const config = configOf(dir, {});
  const instruments = INSTRUMENTS.map((instrument, code) => ({ code, ...instrument }));
  const doorbell = new Doorbell(new SharedArrayBuffer(4), 0);
  const rings = Array.from({ length: GOLD_SHARDS }, () => ringPair(64));
  // Few slots: a step ends where one is missing. Many: in the middle of one.
  const slots = random.pick([4, 64]);
  const back = ringPair(64);
  const memory = new SharedArrayBuffer(slots * TradeBatch.byteSize(ROWS_PER_SLOT));
  const reports: ValidationReport[] = [];
  const actor = new ValidationActor({
    shard: 0,
    sources: OWNED.map((exchange) => ({
      exchange,
      reader: LogReader.open({
        disk: nodeDisk(),
        dir: join(dir, 'bronze', exchangeKey(exchange)),
        fromSequence: 0,
      }),
      validator: validatorOf(exchange, instruments, config),
      progress: counts.get(exchange)![0]!,
    })),
    gold: rings.map(({ producer }) => ({ ring: producer, doorbell })),
    slots: new SlotPool(memory, slots, ROWS_PER_SLOT, back.producer),
    lake: {
      run: async (job) => {
        assert.equal(job.kind, 'dead-letters');
        return job.kind === 'dead-letters' ? [stagedFile(job.rows.length)] : [];
      },
    },
    nextName: () => 'unused',
    wake: () => {},
    counters: new ActorCounters('validation', new SharedArrayBuffer(BOARD_BYTES_PER_ACTOR), 0),
    report: async (report) => {
      reports.push(report);
    },
  });

  const sent: Sent[] = rings.map(() => ({ rows: 0, watermarksUs: new Map() }));
  /** Per gold shard, what had been sent when barrier n came. */
  const before: Sent[][] = rings.map(() => []);
  const onTheirWay: number[] = [];
  const takeSome = (messagesMax: number): void => {
    for (const [shard, { consumer }] of rings.entries()) {
      for (let i = 0; i < messagesMax && consumer.take(); i++) {
        const so = sent[shard] as Sent;
        if (consumer.kind === BATCH) {
          so.rows += consumer.b;
          onTheirWay.push(consumer.a);
        } else if (consumer.kind === BARRIER) {
          assert.equal(consumer.a, before[shard]!.length + 1);
          before[shard]!.push({ rows: so.rows, watermarksUs: new Map(so.watermarksUs) });
        } else {
          const exchange = EXCHANGES[consumer.a] as Exchange;
          so.watermarksUs.set(exchange, joinInt64(consumer.b, consumer.c));
        }
      }
    }
    while (onTheirWay.length > 0 && random.chance(0.9)) {
      back.consumer.push(BATCH, onTheirWay.shift() as number, 0, 0);
    }
  };

  let epoch = 0;
  const isAtEnd = ({ exchange, nextSequence }: ExchangeProgress): boolean =>
    nextSequence + 1 === counts.get(exchange)?.length;
  // Epochs at any time while there is something to read, and a last one.
  for (let last = false; !(last && before.every((barriers) => barriers.length === epoch)); ) {
    if (reports.length === epoch && !last) {
      last = actor.progress().every(isAtEnd);
      if (last || random.chance(0.5)) actor.barrier(++epoch);
    }
    actor.step();
    await new Promise((resolve) => setImmediate(resolve));
    takeSome(random.between(0, 60));
  }
  assert.equal(reports.length, epoch);
  let deadLetters = 0;
  for (const [i, report] of reports.entries()) {
    for (const { rows } of report.files) deadLetters += rows;
    const total = (value: 'valid' | 'deadLetters'): number =>
      report.progress.reduce((sum, progress) => sum + progress[value], 0);
    const rows = before.reduce((sum, shard) => sum + shard[i]!.rows, 0);
    assert.equal(rows, total('valid'), `rows sent before barrier ${i + 1}`);
    assert.equal(deadLetters, total('deadLetters'), `dead letters staged for epoch ${i + 1}`);
    for (const progress of report.progress) {
      const { exchange, watermarkUs, nextSequence } = progress;
      assert.deepEqual(progress, counts.get(exchange)?.[nextSequence]);
      for (const shard of before) {
        assert.equal(shard[i]!.watermarksUs.get(exchange) ?? 0, watermarkUs, exchange);
      }
    }
  }
  return epoch;
}

test('before barrier n goes what is reported for epoch n, and nothing else', async (t) => {
  const directory = temporaryDirectory();
  t.after(directory.remove);
  const day = badDay({
    seed: 9,
    startUs: Date.UTC(2026, 5, 1) * 1000,
    durationUs: 15 * 60_000_000,
    rate: 10,
    exchanges: OWNED,
    instrumentsPerExchange: 4,
    backfill: false,
  });
  const counts = new Map<Exchange, ExchangeProgress[]>();
  for (const [i, exchange] of OWNED.entries()) {
    const feed = day.feeds[i]!;
    const frames = Array.from(day.frames(feed), (f) => ({ ...f, bytes: Buffer.from(f.bytes) }));
    const all = [...frames, ...frames];
    await appendLog(directory.path, exchange, all);
    const oracle = newOracle(exchange, 0);
    const progress = [progressOf(oracle)];
    for (const { bytes, kind, receiveTimeUs } of all) {
      oracle.frame(bytes, kind, receiveTimeUs);
      progress.push(progressOf(oracle));
    }
    counts.set(exchange, progress);
  }
  let epochs = 0;
  for (let seed = 0; seed < 12; seed++) epochs += await drive(directory.path, counts, seed);
  t.diagnostic(`${epochs} epochs`);
});
