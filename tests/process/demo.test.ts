/** `npm run demo` as a newcomer sees it: exchanges connect, candles appear, Ctrl-C ends it in order. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '#tests/support/process/free-port';

interface Candles {
  readonly candles: readonly { open: string; volume: string; trade_count: number }[];
}

async function candles(port: number, symbol: string, exchange: string): Promise<Candles> {
  const query = `symbol=${symbol}&exchange=${exchange}&limit=5`;
  const response = await fetch(`http://127.0.0.1:${port}/v1/ohlcv/1m?${query}`);
  assert.equal(response.status, 200);
  return (await response.json()) as Candles;
}

test('the demo runs three exchanges through to candles and says so', {
  timeout: 120_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bullion-demo-'));
  const port = await freePort();
  const demo = spawn(process.execPath, [fileURLToPath(new URL('../../demo.js', import.meta.url))], {
    env: {
      ...process.env,
      BULLION_DATA_DIR: join(directory, 'data'),
      BULLION_HTTP_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let said = '';
    const ended = once(demo, 'exit');
    await new Promise<void>((resolve, reject) => {
      demo.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        // Live figures with gold in them: trades went all the way.
        if (/3\/3 exchanges \|.*\| gold [1-9]\d*/.test(said)) resolve();
      });
      void ended.then(() => reject(new Error(`the demo ended early:\n${said}`)));
    });
    const address = `http://127.0.0.1:${port}/`;
    assert.ok(
      said.includes(`All exchanges are connected; candles are live: open ${address}`),
      said,
    );
    const page = await fetch(address);
    assert.match(await page.text(), /<title>Bullion<\/title>/);
    assert.match(said, new RegExp(`http://127\\.0\\.0\\.1:${port}/v1/ohlcv/1m`));
    for (const [symbol, exchange] of [
      ['BTCUSDT', 'BINANCE'],
      ['BTCUSD', 'KRAKEN'],
      ['BTCUSD', 'COINBASE'],
    ] as const) {
      const answer = await candles(port, symbol, exchange);
      assert.ok(answer.candles.length > 0, `${exchange} has no candle`);
      for (const { open, volume, trade_count } of answer.candles) {
        assert.match(open, /^\d+\.\d{8}$/);
        assert.match(volume, /^\d+\.\d{8}$/);
        assert.ok(trade_count > 0);
      }
    }
    demo.kill('SIGINT');
    assert.deepEqual(await ended, [0, null]);
    assert.match(said, /Stopped; everything received is in the tables\./);
  } finally {
    demo.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});
