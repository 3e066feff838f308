/** An offline run that cannot go on ends with the reason, not with what it noticed of it. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { candleTable } from '#schemas/candle';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { EXIT, UserError } from '#src/base/errors';
import { badDay } from '#tests/pipeline/bad-day';
import { appendSimulation } from '#tests/pipeline/logs';
import { temporaryDirectory, withPipeline } from '#tests/pipeline/pipeline';

const TABLES = [silverTable('kraken'), DEAD_LETTERS, GOLD_TRADES, candleTable('1m')];

for (const name of TABLES) {
  test(`a table that cannot be written is named: ${name}`, (t) => cannotBeWritten(t, name));
}

async function cannotBeWritten(t: TestContext, name: string): Promise<void> {
  const directory = temporaryDirectory();
  t.after(directory.remove);
  const dir = directory.path;
  const day = badDay({
    seed: 1,
    startUs: Date.UTC(2026, 0, 1) * 1000,
    durationUs: 60_000_000,
    rate: 5,
    exchanges: ['KRAKEN'],
    instrumentsPerExchange: 2,
    backfill: false,
  });
  await appendSimulation(dir, day, () => undefined);
  const table = join(dir, 'lake', name);
  mkdirSync(table, { recursive: true });
  const ended = withPipeline(
    dir,
    {},
    async ({ run }) => {
      writeFileSync(join(table, 'data'), 'a file where a folder has to be');
      await run.finish(() => {});
    },
    async () => {},
  );
  await assert.rejects(ended, (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, EXIT.io);
    assert.ok(error.message.includes(`/${name}/`), error.message);
    return true;
  });
}
