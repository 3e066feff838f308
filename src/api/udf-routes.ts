/**
 * A datafeed for TradingView's charting library (UDF over HTTP): GET /udf/config, /udf/symbols,
 * /udf/search, /udf/history and /udf/time, in that protocol's own shapes. Times are whole seconds;
 * prices are JSON numbers, written digit by digit, because the library reads no others. What is
 * wrong is said in its words (`{"s":"error"}`), and parameters it adds one day are passed over.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EXCHANGES } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import type { CandleSource } from '#src/api/candle-source';
import type { CandleRow } from '#src/output/candle-row';

export interface UdfRoutes {
  readonly instruments: readonly Instrument[];
  readonly candles: CandleSource;
  readonly nowUs: () => number;
}

/** The library's names of the timeframes: minutes, or 1D. */
const RESOLUTIONS: Readonly<Record<string, Timeframe>> = {
  '1': '1m',
  '5': '5m',
  '15': '15m',
  '30': '30m',
  '60': '1h',
  '1D': '1d',
  D: '1d',
};
const RESOLUTION_NAMES = ['1', '5', '15', '30', '60', '1D'];
const BARS_MAX = 10_000;
const FOUND_MAX = 100;

const TITLES = { BINANCE: 'Binance', KRAKEN: 'Kraken', COINBASE: 'Coinbase' } as const;

type Query = Readonly<Record<string, string | undefined>>;

const ANY = Type.Object({}, { additionalProperties: true });

export function registerUdf(
  app: FastifyInstance,
  { instruments, candles, nowUs }: UdfRoutes,
): void {
  const route = (summary: string, names: readonly string[]) => ({
    schema: {
      summary,
      tags: ['udf'],
      querystring: Type.Object(
        Object.fromEntries(names.map((name) => [name, Type.Optional(Type.String())])),
      ),
      response: { 200: ANY },
    },
  });

  app.get('/udf/config', route('What the datafeed supports.', []), async (_request, reply) =>
    sendJson(reply, JSON.stringify(CONFIG)),
  );

  app.get(
    '/udf/time',
    {
      schema: {
        summary: "The server's time in seconds, as plain text.",
        tags: ['udf'],
        response: { 200: { content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) =>
      reply.type('text/plain; charset=utf-8').send(String(Math.floor(nowUs() / 1e6))),
  );

  app.get(
    '/udf/symbols',
    route('One symbol, such as BINANCE:BTCUSDT.', ['symbol']),
    async (request: FastifyRequest, reply) => {
      const instrument = named(instruments, (request.query as Query).symbol);
      if (instrument === undefined) return sendJson(reply, udfError('unknown_symbol'));
      const info = symbolInfo(instrument, await priceDecimals(candles, instrument));
      return sendJson(reply, JSON.stringify(info));
    },
  );

  app.get(
    '/udf/search',
    route('Symbols whose name contains the query.', ['query', 'type', 'exchange', 'limit']),
    async (request: FastifyRequest, reply) => {
      const { query, type, exchange, limit } = request.query as Query;
      const max = /^\d{1,4}$/.test(limit ?? '') ? Math.min(Number(limit), FOUND_MAX) : 30;
      const wanted = String(query ?? '').toUpperCase();
      const found = instruments
        .filter(() => !type || type === 'crypto')
        .filter((one) => !exchange || one.exchange === exchange)
        .filter((one) => `${one.exchange}:${one.symbol}`.includes(wanted))
        .slice(0, max);
      return sendJson(reply, JSON.stringify(found.map(searchResult)));
    },
  );

  app.get(
    '/udf/history',
    route('Bars of one symbol.', ['symbol', 'resolution', 'from', 'to', 'countback']),
    async (request: FastifyRequest, reply) => {
      const query = request.query as Query;
      const instrument = named(instruments, query.symbol);
      if (instrument === undefined) return sendJson(reply, udfError('unknown_symbol'));
      const timeframe = Object.hasOwn(RESOLUTIONS, query.resolution ?? '')
        ? RESOLUTIONS[query.resolution as string]
        : undefined;
      if (timeframe === undefined) return sendJson(reply, udfError('unknown_resolution'));
      const from = seconds(query.from, 0);
      const to = seconds(query.to, Math.floor(nowUs() / 1e6) + 86_400);
      const countback = seconds(query.countback, 0);
      if (Number.isNaN(from + to + countback)) return sendJson(reply, udfError('invalid_range'));
      const bars = await history(candles, instrument, timeframe, { from, to, countback });
      return sendJson(reply, bars);
    },
  );
}

const CONFIG = {
  supports_search: true,
  supports_group_request: false,
  supports_marks: false,
  supports_timescale_marks: false,
  supports_time: true,
  supported_resolutions: RESOLUTION_NAMES,
  exchanges: [
    { value: '', name: 'All exchanges', desc: '' },
    ...EXCHANGES.map((value) => ({ value, name: TITLES[value], desc: `${TITLES[value]} spot` })),
  ],
  symbols_types: [
    { name: 'All types', value: '' },
    { name: 'Crypto', value: 'crypto' },
  ],
};

function sendJson(reply: FastifyReply, json: string): FastifyReply {
  return reply
    .type('application/json; charset=utf-8')
    .serializer((body: string) => body)
    .send(json);
}

function udfError(errmsg: string): string {
  return JSON.stringify({ s: 'error', errmsg });
}

/** `BINANCE:BTCUSDT`, or the symbol alone: then the first exchange that lists it. */
function named(instruments: readonly Instrument[], name: unknown): Instrument | undefined {
  return instruments.find((one) => name === `${one.exchange}:${one.symbol}` || name === one.symbol);
}

/** Whole seconds; NaN for anything else. */
function seconds(value: unknown, missing: number): number {
  if (value === undefined) return missing;
  return typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
}

function description({ baseAsset, quoteAsset, exchange }: Instrument): string {
  return `${baseAsset}/${quoteAsset} on ${TITLES[exchange]}`;
}

function searchResult(instrument: Instrument) {
  const { symbol, exchange } = instrument;
  const ticker = `${exchange}:${symbol}`;
  return {
    symbol,
    full_name: ticker,
    description: description(instrument),
    exchange,
    ticker,
    type: 'crypto',
  };
}

function symbolInfo(instrument: Instrument, decimals: number) {
  const { symbol, exchange, quoteAsset } = instrument;
  return {
    name: symbol,
    ticker: `${exchange}:${symbol}`,
    description: description(instrument),
    type: 'crypto',
    session: '24x7',
    timezone: 'Etc/UTC',
    exchange,
    listed_exchange: exchange,
    currency_code: quoteAsset,
    minmov: 1,
    pricescale: 10 ** decimals,
    minmove2: 0,
    fractional: false,
    format: 'price',
    has_intraday: true,
    has_seconds: false,
    has_daily: true,
    has_weekly_and_monthly: false,
    has_empty_bars: false,
    intraday_multipliers: ['1', '5', '15', '30', '60'],
    supported_resolutions: RESOLUTION_NAMES,
    visible_plots_set: 'ohlcv',
    volume_precision: 8,
    data_status: 'streaming',
  };
}

/** Decimals that the newest day's prices have, two at least: what a chart has to show. */
async function priceDecimals(candles: CandleSource, instrument: Instrument): Promise<number> {
  const [day] = await candles.candles({
    timeframe: '1d',
    instrument,
    fromUs: 0,
    toUs: Number.MAX_SAFE_INTEGER,
    limit: 1,
    which: 'last',
  });
  if (day === undefined) return 2;
  const decimals = [day.open, day.high, day.low, day.close].map(
    (price) => price.replace(/0+$/, '').split('.')[1]?.length ?? 0,
  );
  return Math.max(2, ...decimals);
}

interface Bars {
  /** Seconds; from is inclusive, to is exclusive. */
  readonly from: number;
  readonly to: number;
  /** When above 0: this many bars back from `to`, whatever `from` says. */
  readonly countback: number;
}

async function history(
  candles: CandleSource,
  instrument: Instrument,
  timeframe: Timeframe,
  { from, to, countback }: Bars,
): Promise<string> {
  const lengthUs = TIMEFRAME_US[TIMEFRAMES.indexOf(timeframe)] as number;
  const last = (toUs: number, limit: number, fromUs = 0) =>
    candles.candles({ timeframe, instrument, fromUs, toUs, limit, which: 'last' });
  const toUs = Math.ceil((to * 1e6) / lengthUs) * lengthUs;
  const rows =
    countback > 0
      ? await last(toUs, Math.min(countback, BARS_MAX))
      : await last(toUs, BARS_MAX, Math.min(from * 1e6, toUs));
  if (rows.length > 0) return bars(rows);
  const [earlier] = await last(Math.min(from * 1e6, toUs), 1);
  const nextTime = earlier === undefined ? {} : { nextTime: secondsOf(earlier) };
  return JSON.stringify({ s: 'no_data', ...nextTime });
}

function secondsOf({ window_start }: CandleRow): number {
  return Date.parse(window_start) / 1000;
}

function bars(rows: readonly CandleRow[]): string {
  const list = (value: (row: CandleRow) => string | number): string => rows.map(value).join(',');
  const columns = [
    `"t":[${list(secondsOf)}]`,
    `"o":[${list(({ open }) => open)}]`,
    `"h":[${list(({ high }) => high)}]`,
    `"l":[${list(({ low }) => low)}]`,
    `"c":[${list(({ close }) => close)}]`,
    `"v":[${list(({ volume }) => volume)}]`,
  ];
  return `{"s":"ok",${columns.join(',')}}`;
}
