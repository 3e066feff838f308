/**
 * The stream of a whole tree whose processing group dies again and again: a client is shown no trade
 * twice and none is left out in silence, and candles never lose what they had.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import type { StreamMessage } from '#src/push/messages';
import { until } from '#tests/support/process/bullion-process';
import { everyActorRuns, settled, startTree } from '#tests/support/process/running-tree';
import { startWorld } from '#tests/support/process/simulated-world';

const SUBJECTS = [
  { exchange: 'BINANCE', symbol: 'BTCUSDT' },
  { exchange: 'KRAKEN', symbol: 'ETHUSD' },
  { exchange: 'COINBASE', symbol: 'BTCUSD' },
] as const;

test('restarts of the processing group repeat nothing on the stream', async (t) => {
  const faults = { duplicate: 0.02, late: 0.01, lose: 0.002 };
  const world = await startWorld(t, { seed: 99, ratePerSecond: 200, faults });
  const running = await startTree(t, world, {
    // Long epochs: a restart replays everything since the start.
    BULLION_EPOCHS_INTERVAL_MS: '60000',
    BULLION_SUPERVISION_RESTART_INTENSITY: '100',
  });
  await settled(running);
  const socket = new WebSocket(`ws://127.0.0.1:${running.port}/v1/stream`);
  t.after(() => socket.terminate());
  /** Per topic: ids in the order they were shown, and the number the next has. */
  const shown = new Map<string, { ids: string[]; next: number }>();
  const candles = new Map<string, number>();
  const failures: unknown[] = [];
  const hear = (message: StreamMessage): void => {
    assert.ok(message.type === 'snapshot' || message.type === 'update', JSON.stringify(message));
    const name = `${message.channel} ${message.exchange} ${message.symbol}`;
    if (message.channel === 'candles') {
      for (const { window_start, trade_count } of message.candles) {
        candles.set(`${name} ${window_start}`, trade_count);
      }
      return;
    }
    const ids = message.trades.map(({ trade_id }) => trade_id);
    const known = shown.get(name);
    if (message.type === 'snapshot') {
      assert.equal(known, undefined, 'a snapshot although the client keeps up');
      shown.set(name, { ids, next: message.next });
      return;
    }
    assert.ok(known, 'an update before its snapshot');
    assert.equal(known.next + message.skipped + ids.length, message.next);
    known.next = message.next;
    known.ids.push(...ids);
  };
  socket.on('message', (data) => {
    try {
      hear(JSON.parse(String(data)));
    } catch (error) {
      failures.push(error);
    }
  });
  await once(socket, 'open');
  for (const subject of SUBJECTS) {
    socket.send(JSON.stringify({ op: 'subscribe', channel: 'trades', limit: 128, ...subject }));
    const candle = { op: 'subscribe', channel: 'candles', timeframe: '1m', limit: 5, ...subject };
    socket.send(JSON.stringify(candle));
  }
  const count = (): number => [...shown.values()].reduce((sum, { ids }) => sum + ids.length, 0);
  for (const victim of ['gold-0', 'candles', 'validation-0', 'gold-1']) {
    const before = count();
    const { restarts } = await running.actor(victim);
    running.arm({ actor: victim, fault: 'throw' });
    await until('the restart', async () => (await running.actor(victim)).restarts > restarts);
    await everyActorRuns(running);
    await until('trades after it', () => count() > before + 20);
  }
  assert.deepEqual(failures, []);
  assert.equal(shown.size, SUBJECTS.length);
  for (const [name, { ids }] of shown) {
    assert.equal(new Set(ids).size, ids.length, `${name} showed a trade twice`);
    assert.ok(ids.length > 20, name);
  }
  for (const [name, trades] of candles) assert.ok(trades > 0, name);
});
