/**
 * `GET /v1/trades/recent`: the newest trades gold accepted, committed or not, from shared memory; where
 * that has fewer than asked for (after a start), the newest of the last epoch's files before them.
 *
 * Each trade comes once. Under load shared memory leaves trades out (src/trades/live-trades.ts): what
 * lies between two of them is in `GET /v1/trades` once its epoch is committed.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import { GOLD_TRADES, SIDES, tradeColumn } from '#schemas/trade';
import { type Answers, FORMAT, formatOf } from '#src/api/answers';
import type { History } from '#src/api/history';
import { INSTRUMENT, instrumentOf } from '#src/api/instrument-names';
import { integer, readParameters, schemaOf, withDefault } from '#src/api/parameters';
import { rowSchema } from '#src/api/row-schema';
import { formatDecimal } from '#src/base/decimal';
import { loadInt64 } from '#src/base/int64';
import { DAY_US } from '#src/lake/partition';
import { isoMicros } from '#src/output/text';
import type { PlainRow } from '#src/query/answer-table';
import { mayMatch } from '#src/query/trade-filter';
import { LIVE_TRADE, LIVE_TRADE_WORDS, type LiveTradesReader } from '#src/trades/live-trades';

export interface RecentRoutes {
  readonly instruments: readonly Instrument[];
  readonly liveTrades: LiveTradesReader;
  readonly history: History;
  readonly answers: Answers;
  readonly nowUs: () => number;
}

const RECENT_MAX = 500;
const QUERY = {
  ...INSTRUMENT,
  limit: withDefault(integer(1, RECENT_MAX, 'At most this many trades.'), 50),
  format: FORMAT,
};

const FIELDS = ['timestamp', 'exchange', 'symbol', 'trade_id', 'price', 'quantity', 'side'];
const COLUMNS = FIELDS.map(tradeColumn);
/** Files are looked at this far back. */
const BACK_US = DAY_US;

/** The newest `limit` trades in shared memory, oldest first. */
export function liveRows(
  reader: LiveTradesReader,
  { code, exchange, symbol }: Instrument,
  limit: number,
): PlainRow[] {
  const words = new Int32Array(reader.depth * LIVE_TRADE_WORDS);
  const count = reader.count(code);
  const found = reader.range(code, count - reader.depth, count, words);
  const rows = Array.from({ length: found }, (_, i): PlainRow & { timestamp: number } => {
    const at = i * LIVE_TRADE_WORDS;
    const long = (field: number): number => loadInt64(words, (at + field) / 2);
    return {
      timestamp: long(LIVE_TRADE.time),
      exchange,
      symbol,
      trade_id: `${exchange}-${long(LIVE_TRADE.tradeId)}`,
      price: formatDecimal(words, (at + LIVE_TRADE.price) / 2),
      quantity: formatDecimal(words, (at + LIVE_TRADE.quantity) / 2),
      side: SIDES[(words[at + LIVE_TRADE.sideAndCondition] as number) & 0xff] as string,
    };
  });
  return rows.sort(byTime).slice(-limit);
}

function idOf({ trade_id }: PlainRow): number {
  return Number(String(trade_id).split('-')[1]);
}

function byTime(a: PlainRow, b: PlainRow): number {
  return (a.timestamp as number) - (b.timestamp as number) || idOf(a) - idOf(b);
}

export function registerRecent(app: FastifyInstance, routes: RecentRoutes): void {
  const { instruments, liveTrades, history, answers, nowUs } = routes;

  const committedRows = async (instrument: Instrument, limit: number): Promise<PlainRow[]> => {
    const { symbol, exchange } = instrument;
    const endUs = nowUs() + BACK_US; // an exchange's clock may be ahead of ours
    const filter = { instruments: [{ symbol, exchange }], startUs: endUs - 2 * BACK_US, endUs };
    const { body } = await history.ask(GOLD_TRADES, filter.startUs, endUs, ({ files }) => ({
      kind: 'trades',
      files: files.filter((file) => mayMatch(file, filter)),
      filter,
      limit,
      which: 'last',
      fields: FIELDS,
      format: 'json',
    }));
    const rows = JSON.parse(Buffer.from(body).toString()) as (PlainRow & { timestamp: string })[];
    return rows.map((row) => ({ ...row, timestamp: microsOf(row.timestamp) }));
  };

  app.get(
    '/v1/trades/recent',
    {
      schema: {
        summary: 'The newest trades of one instrument, committed or not, oldest first.',
        querystring: schemaOf(QUERY),
        response: { 200: Type.Object({ trades: Type.Array(rowSchema(COLUMNS)) }) },
      },
    },
    async (request, reply) => {
      const values = readParameters(QUERY, request.query);
      const { limit } = values;
      const format = formatOf(values.format, request);
      const instrument = instrumentOf(instruments, values.symbol, values.exchange);
      let rows = liveRows(liveTrades, instrument, limit);
      if (rows.length < limit) {
        const committed = await committedRows(instrument, limit);
        const live = new Set(rows.map(({ trade_id }) => trade_id));
        rows = [...committed.filter(({ trade_id }) => !live.has(trade_id)), ...rows]
          .sort(byTime)
          .slice(-limit);
      }
      if (format === 'json') {
        return {
          trades: rows.map((row) => ({ ...row, timestamp: isoMicros(row.timestamp as number) })),
        };
      }
      const { body } = await history.askDirectly({
        kind: 'encode',
        columns: COLUMNS,
        rows,
        format,
      });
      return answers.send(reply, format, 'trades', body);
    },
  );
}

/** Of a time as isoMicros writes it. */
function microsOf(text: string): number {
  return Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(text.slice(20, 26));
}
