/** The newest trades: those in shared memory, and before them those of committed files, each once. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createGateway } from '#src/api/gateway';
import { listen } from '#src/api/listen';
import { isoMicros } from '#src/output/text';
import type { Query, RowsAnswer } from '#src/query/job';
import { INSTRUMENTS, TRX } from '#tests/api/instruments';
import { Board } from '#tests/push/board';

/** When the board's trade in row 0 of a batch happened. */
const FIRST_US = 1_741_046_400_000_000;

function shown(id: number, timeUs: number, price: string): Record<string, string> {
  const [exchange, symbol] = [TRX.exchange, TRX.symbol];
  const trade_id = `${exchange}-${id}`;
  const timestamp = isoMicros(timeUs);
  return { timestamp, exchange, symbol, trade_id, price, quantity: '0.00000001', side: 'BUY' };
}

describe('the newest trades', () => {
  const apps: FastifyInstance[] = [];
  let board: Board;
  let committed: Record<string, string>[];
  let asked: Query[];
  beforeEach(() => {
    board = new Board(INSTRUMENTS.length);
    committed = [];
    asked = [];
  });
  after(() => Promise.all(apps.map((app) => app.close())));

  /** Real HTTP over the board's shared memory; files are rows in `committed`. */
  const recent = async (query: string): Promise<Response> => {
    const app = await createGateway({
      instruments: INSTRUMENTS,
      candles: { candles: () => [] },
      status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
      nowUs: () => FIRST_US,
      cursorSecret: new Uint8Array(32),
      liveTrades: board.sources.liveTrades,
      history: {
        files: async () => ({ epoch: 1, committedUs: 0, files: [] }),
        withDigests: (files) => files,
        run: async (query): Promise<RowsAnswer> => {
          asked.push(query);
          const rows = query.kind === 'trades' ? committed.slice(-query.limit) : [];
          return { kind: 'rows', body: Buffer.from(JSON.stringify(rows)), rows: rows.length };
        },
      },
      onFailure: assert.ifError,
    });
    apps.push(app);
    const port = await listen(app, '127.0.0.1', 0);
    return fetch(`http://127.0.0.1:${port}/v1/trades/recent?symbol=TRXUSDT&${query}`);
  };
  const ids = async (response: Response): Promise<number[]> => {
    const { trades } = (await response.json()) as { trades: { trade_id: string }[] };
    return trades.map(({ trade_id }) => Number(trade_id.replace('BINANCE-', '')));
  };

  it('are those in memory, exactly, and no file is asked for them', async () => {
    board.trades(TRX.code, 100, 20);
    board.trades(1, 900, 5); // another instrument's
    const response = await recent('limit=3');
    assert.deepEqual(await response.json(), {
      trades: [117, 118, 119].map((id, i) => ({
        ...shown(id, FIRST_US + 17 + i, '90123456.78901234'),
        side: id % 2 === 0 ? 'BUY' : 'SELL',
      })),
    });
    assert.deepEqual(asked, []);
  });

  it('go on with committed ones before them, each trade once, by time and id', async () => {
    board.trades(TRX.code, 100, 4);
    const before = [96, 97, 98, 99].map((id) => shown(id, FIRST_US - 100 + id, '1.00000000'));
    // Committed meanwhile, and one of the same microsecond as a live one.
    const both = [100, 101, 102].map((id, i) => shown(id, FIRST_US + i, '1.00000000'));
    committed = [...before, shown(50, FIRST_US, '1.00000000'), ...both];
    assert.deepEqual(
      await ids(await recent('limit=500')),
      [96, 97, 98, 99, 50, 100, 101, 102, 103],
    );
    assert.deepEqual(await ids(await recent('limit=6')), [99, 50, 100, 101, 102, 103]);
  });

  it('are the newest of more than memory keeps', async () => {
    for (let id = 0; id < 2_000; id += 40) board.trades(TRX.code, id, 40);
    const got = await ids(await recent('limit=500'));
    assert.equal(got.length, 500);
    assert.equal(new Set(got).size, 500);
    assert.ok(
      got.every((id) => id >= 2_000 - 512),
      `${Math.min(...got)} is none of the newest`,
    );
  });

  it('are encoded as other formats by those who encode history', async () => {
    board.trades(TRX.code, 100, 2);
    const response = await recent('limit=2&format=csv');
    assert.equal(response.status, 200);
    assert.match(String(response.headers.get('content-type')), /^text\/csv/);
    const [encode] = asked;
    assert.ok(encode?.kind === 'encode' && encode.format === 'csv');
    assert.deepEqual(
      encode.rows.map(({ trade_id, timestamp }) => [trade_id, timestamp]),
      [
        ['BINANCE-100', FIRST_US],
        ['BINANCE-101', FIRST_US + 1],
      ],
    );
  });
});
