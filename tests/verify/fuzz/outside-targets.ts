/**
 * Everything else that reads bytes from outside: control messages and REST answers of the exchanges,
 * the ids that ingest looks for, configuration files, API parameters, csv dumps and zip archives.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBufferPromise, type ZipFile } from 'yauzl';
import { EXCHANGES } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { LIMIT_MAX } from '#src/api/candle-query';
import { createGateway } from '#src/api/gateway';
import { Problem } from '#src/api/problem';
import { UserError } from '#src/base/errors';
import type { Random } from '#src/base/random';
import { environmentLayer } from '#src/config/environment';
import { instrumentsOf, loadInstruments } from '#src/config/instruments';
import { configOf, loadConfig } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { parseYaml, readYaml } from '#src/config/yaml-file';
import { historyOf } from '#src/feed/history-of';
import { CHANNELS, protocolOf } from '#src/feed/protocol-of';
import { TradeIdScanner } from '#src/feed/trade-id-scanner';
import { CsvFrames } from '#src/import/csv-frames';
import { LineSplitter } from '#src/import/line-splitter';
import { openImport } from '#src/import/read-import';
import { readArchive } from '#src/import/source-file';
import { makeZip } from '#tests/import/make-zip';
import { candleQuery } from '#tests/support/candle-query';
import { INSTRUMENTS } from '#tests/support/instruments';
import type { Scope } from '#tests/support/process/bullion-process';
import { temporaryDirectory } from '#tests/support/temporary-directory';
import { mutatedBytes, mutatedText } from '#tests/verify/fuzz/mutation';
import { FuzzFailure, type FuzzTarget } from '#tests/verify/fuzz/target';

/** Errors that are bugs, whoever expects them. */
function isBug(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    (error instanceof Error && error.name === 'AssertionError')
  );
}

function json(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

const CONTROL = [
  '{"result":null,"id":1}',
  '{"error":{"code":2,"msg":"Invalid request: property name must be a string"},"id":7}',
  '{"method":"subscribe","req_id":3,"result":{"channel":"trade","snapshot":true,"symbol":"BTC/USD"},"success":true,"time_in":"2026-07-07T22:58:16.1Z"}',
  '{"error":"Currency pair not supported X/Y","method":"subscribe","req_id":4,"success":false,"symbol":"X/Y"}',
  '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"maintenance","api_version":"v2","connection_id":1}]}',
  '{"channel":"heartbeat"}',
  '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD","ETH-USD"]},{"name":"heartbeat","product_ids":["BTC-USD"]}]}',
  '{"type":"heartbeat","last_trade_id":17526947,"product_id":"BTC-USD","sequence":90,"time":"2026-07-07T22:58:16.156605Z"}',
  '{"type":"error","message":"Failed to subscribe","reason":"YFI-USD is delisted"}',
  '{"channel":"subscriptions","client_id":"","timestamp":"2026-07-07T22:58:16Z","sequence_num":1,"events":[{"subscriptions":{"market_trades":["BTC-USD"]}}]}',
  '{"e":"serverShutdown","E":1770123456789}',
];

function controlTarget(): FuzzTarget {
  const protocols = EXCHANGES.flatMap((exchange) =>
    CHANNELS[exchange].map((channel) => protocolOf(exchange, channel)),
  );
  return {
    name: 'control messages',
    run(random) {
      const text = mutatedText(CONTROL, random);
      const parsed = json(text);
      const frame = Buffer.from(text, 'latin1');
      let kinds = '';
      for (const protocol of protocols) {
        protocol.isTrade(frame);
        if (parsed !== undefined) kinds = protocol.readControl(parsed.value).kind;
      }
      return parsed === undefined ? 'not JSON' : kinds;
    },
  };
}

const ANSWERS = [
  '[{"id":1,"price":"1.0","qty":"2.0","quoteQty":"2.0","time":1770123456789,"isBuyerMaker":true,"isBestMatch":true}]',
  '[{"a":1,"p":"1.0","q":"2.0","f":1,"l":2,"T":1770123456789,"m":true,"M":true}]',
  '{"code":-1003,"msg":"Too many requests"}',
  '{"error":[],"result":{"XXBTZUSD":[["1.0","2.0",1688669597.8277369,"b","l","",7]],"last":"1688669597827736900"}}',
  '{"error":["EAPI:Rate limit exceeded"]}',
  '[{"trade_id":7,"side":"sell","size":"0.1","price":"1.0","time":"2026-07-07T22:58:16.156605Z"}]',
  '{"message":"Public rate limit exceeded"}',
  '{"trades":[{"trade_id":"7","product_id":"BTC-USD","price":"1.0","size":"2","time":"2026-07-07T22:58:16.156605Z","side":"BUY"}],"best_bid":"1","best_ask":"2"}',
];

function answerTarget(): FuzzTarget {
  const histories = EXCHANGES.flatMap((exchange) =>
    CHANNELS[exchange].map((channel) => historyOf(exchange, channel)),
  );
  const range = { symbol: 'BTC-USD', lo: 1, hi: 50, sinceUs: 1_770_000_000_000_000 };
  return {
    name: 'REST answers',
    run(random) {
      const text = mutatedText(ANSWERS, random);
      const parsed = json(text);
      if (parsed === undefined) return 'not JSON';
      let outcome = 'refused';
      for (const history of histories) {
        try {
          const page = history.read(parsed.value);
          if (page.kind !== 'trades') continue;
          outcome = 'trades';
          if (page.rows > 0 && !(page.firstId <= page.lastId)) {
            throw new FuzzFailure(`ids ${page.firstId} to ${page.lastId}`, text);
          }
          const next = history.next('http://x', range, page, history.first('http://x', range));
          if (next !== undefined) new URL(next.url);
        } catch (error) {
          if (error instanceof FuzzFailure || isBug(error)) throw error;
        }
      }
      return outcome;
    },
  };
}

function idTarget(): FuzzTarget {
  const texts = [
    '{"e":"trade","E":1770123456789,"s":"BTCUSDT","t":123456,"p":"1.0","q":"2.0"}',
    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","trade_id":7},{"symbol":"ETH/USD","trade_id":8}]}',
    '{"type":"match","trade_id":9,"product_id":"BTC-USD","sequence":50}',
  ];
  const all = EXCHANGES.map((exchange) => {
    const { tradeKeys } = protocolOf(exchange, CHANNELS[exchange][0]);
    return { tradeKeys, symbols: ['BTCUSDT', 'BTC/USD', 'ETH/USD', 'BTC-USD'] };
  });
  return {
    name: 'trade ids in frames',
    run(random) {
      const text = mutatedText(texts, random);
      const bytes = Buffer.from(text, 'latin1');
      let found = 0;
      for (const { tradeKeys, symbols } of all) {
        const scanner = new TradeIdScanner(tradeKeys, symbols, (index, id) => {
          found++;
          if (!Number.isSafeInteger(id) || id < 0 || symbols[index] === undefined) {
            throw new FuzzFailure(`id ${id} of symbol ${index}`, text);
          }
        });
        scanner.scan(bytes);
      }
      return found > 0 ? 'ids' : 'none';
    },
  };
}

/** Reads a value or refuses it with one sentence. */
function userErrorOnly(read: () => unknown, input: string): string {
  try {
    read();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (/\n/.test(error.message)) throw new FuzzFailure('a sentence of two lines', input);
    return 'refused';
  }
}

/** Short ones: the cost of a document is its length. */
const CONFIGS = [
  'data_dir: data/live\n',
  'http: {port: 8080, host: "::1"}\n',
  'http:\n  host: 127.0.0.1\n  port: 8080\n',
  'layout:\n  cores: [0, 2, 4]\n  gold_shards: 2\n',
  'exchanges:\n  binance: { enabled: false }\n  kraken:\n    ws_url: wss://ws.kraken.com/v2\n',
  'candles: { allowed_lateness_ms: 10000 }\nlog: { level: info }\n',
  'a: &a [1]\nb: *a\n',
  '%YAML 1.2\n---\n{}\n',
  '# nothing\n',
];

/** Lists of an instrument or two, for the same reason. */
const LISTS = [
  'binance:\n  - { native_symbol: BTCUSDT, base_asset: BTC, quote_asset: USDT }\nkraken: []\ncoinbase: []\n',
  'binance: []\nkraken: [{native_symbol: XBT/USD, base_asset: BTC, quote_asset: USD}]\ncoinbase: []\n',
  'kraken: []\nbinance: [&a {native_symbol: ETHBTC, base_asset: ETH, quote_asset: BTC}, *a]\ncoinbase: []\n',
];

/** Of the inputs of a parser of files so many go through a file: opening it costs more than reading it. */
const BY_FILE = 0.003;

function configTargets(directory: string): FuzzTarget[] {
  const path = join(directory, 'fuzz.yaml');
  const defaults = readYaml(join(PACKAGE_ROOT, 'configs/default.yaml'), 'configs/default.yaml');
  const names = ['BULLION_HTTP_PORT', 'BULLION_LAYOUT_CORES', 'BULLION_DATA_DIR', 'BULLION_X'];
  const from = { env: {}, cwd: directory };
  return [
    {
      name: 'configuration files',
      run(random) {
        const text = mutatedText(CONFIGS, random);
        if (random.chance(BY_FILE)) {
          writeFileSync(path, text, 'latin1');
          return userErrorOnly(() => loadConfig({ ...from, configPath: 'fuzz.yaml' }), text);
        }
        return userErrorOnly(
          () => configOf([defaults, parseYaml(text, 'fuzz.yaml')], directory),
          text,
        );
      },
    },
    {
      name: 'environment variables',
      run(random) {
        const text = mutatedText(['8080', '0,2,4', 'auto', '/srv/data', 'true', '1e3'], random);
        const env = { [random.pick(names)]: text };
        return userErrorOnly(
          () =>
            random.chance(BY_FILE)
              ? loadConfig({ ...from, env })
              : configOf([defaults, environmentLayer(env)], directory),
          text,
        );
      },
    },
    {
      name: 'instrument lists',
      run(random) {
        const text = mutatedText(LISTS, random);
        if (random.chance(BY_FILE)) {
          writeFileSync(path, text, 'latin1');
          return userErrorOnly(() => loadInstruments({ cwd: directory, path: 'fuzz.yaml' }), text);
        }
        return userErrorOnly(() => instrumentsOf(parseYaml(text, 'fuzz.yaml'), 'fuzz.yaml'), text);
      },
    },
  ];
}

const QUERIES = [
  'symbol=BTCUSDT&exchange=BINANCE&limit=2',
  'symbol=BTCUSD&exchange=KRAKEN&start=2025-03-04T00:00:00Z&end=2025-03-05T00:00:00.123+02:00',
  'symbol=ETHUSD&start=1770123456789&end=1770123456790&limit=10000',
  'symbol=BTCUSDT&start=2025-02-30&__proto__=1&limit=0',
];

async function queryTargets(scope: Scope): Promise<FuzzTarget[]> {
  const server = await createGateway({
    instruments: INSTRUMENTS,
    candles: { candles: () => [] },
    nowUs: () => 1_783_382_400_000_000,
    cursorSecret: new Uint8Array(32),
    limits: { connections: 256, connectionsPerAddress: 256, requestsPerSecond: 1_000_000 },
    status: { status: () => ({ exchanges: [], actors: [], last_epoch: null, problems: [] }) },
    onFailure: (error) => {
      throw error;
    },
  });
  scope.after(() => server.close());
  const text = (random: Random): string => mutatedText(QUERIES, random);
  return [
    {
      name: 'API parameters',
      run(random) {
        const given = text(random);
        const query = Object.fromEntries(new URLSearchParams(given));
        try {
          const range = candleQuery(INSTRUMENTS, random.pick([...TIMEFRAMES, '2m', '']), query);
          const isSound =
            range.fromUs >= 0 &&
            range.fromUs <= range.toUs &&
            Number.isSafeInteger(range.fromUs) &&
            Number.isSafeInteger(range.toUs) &&
            range.limit >= 1 &&
            range.limit <= LIMIT_MAX;
          if (!isSound) throw new FuzzFailure(JSON.stringify(range), given);
          return 'accepted';
        } catch (error) {
          if (!(error instanceof Problem) || error.status !== 400) throw error;
          return 'refused';
        }
      },
    },
    {
      name: 'HTTP requests',
      async run(random) {
        const given = encodeURI(text(random)).replace(/#/g, '%23');
        const path = random.pick(['ohlcv/1m', 'ohlcv/1d', 'symbols', 'ohlcv/%2e%2e', 'ohlcv/']);
        const { statusCode } = await server.inject({ url: `/v1/${path}?${given}` });
        if (statusCode >= 500) throw new FuzzFailure(`status ${statusCode}`, given);
        return String(statusCode);
      },
    },
  ];
}

const CSV = [
  'id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n1,0.2,3.0,0.6,1741046400001,true,true\n2,0.2,3.0,0.6,1741046400002,false,true\n',
  '1,0.24,3.0,0.6,1741046400001123,true,true\r\n2,0.2,3.0,0.6,1741046400002123,false,true\r\n',
];

function rowsOf(text: Buffer, cuts: readonly number[]): string[] {
  const splitter = new LineSplitter(200);
  const csv = new CsvFrames({ kind: 'trades', symbol: 'BTCUSDT', where: 'x.csv' });
  const rows: string[] = [];
  const take = (block: ReturnType<LineSplitter['end']>): void => {
    const { bytes, starts, ends, count } = csv.convert(block);
    for (let i = 0; i < count; i++) {
      rows.push(Buffer.from(bytes).toString('latin1', starts[i], ends[i]));
    }
  };
  let from = 0;
  for (const cut of [...cuts, text.length]) {
    take(splitter.push(text.subarray(from, cut)));
    from = cut;
  }
  take(splitter.end());
  return rows;
}

function csvTarget(): FuzzTarget {
  return {
    name: 'csv dumps',
    run(random) {
      const text = Buffer.from(mutatedText(CSV, random), 'latin1');
      const cuts = [random.below(text.length + 1), random.below(text.length + 1)].sort(
        (a, b) => a - b,
      );
      let whole: string[];
      try {
        whole = rowsOf(text, []);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return 'refused';
      }
      const pieces = rowsOf(text, cuts);
      if (JSON.stringify(pieces) !== JSON.stringify(whole)) {
        throw new FuzzFailure(`read in pieces cut at ${cuts.join(', ')} it is different`, text);
      }
      return 'rows';
    },
  };
}

/** An archive in memory. */
const opened = (bytes: Buffer): Promise<ZipFile> =>
  fromBufferPromise(bytes, { lazyEntries: true, autoClose: false });

function zipTarget(directory: string): FuzzTarget {
  const content = Buffer.from(CSV[1] as string);
  const originals = [
    makeZip([{ name: 'BTCUSDT-trades-2025-03-04.csv', content }]),
    makeZip([
      { name: 'BTCUSDT-trades-2025-03-04.csv', content, stored: true },
      { name: 'readme.txt', content: Buffer.from('no') },
    ]),
  ];
  const path = join(directory, 'BTCUSDT-trades-2025-03-04.zip');
  const truth = rowsOf(content, []);
  return {
    name: 'zip archives',
    async run(random) {
      const bytes = mutatedBytes(random.pick(originals), random);
      const isByFile = random.chance(BY_FILE);
      if (isByFile) writeFileSync(path, bytes);
      const rows: string[] = [];
      try {
        const source = await openImport(
          { path, format: 'binance-trades-csv' },
          isByFile ? undefined : (name, accepts) => readArchive(name, opened(bytes), accepts),
        );
        for await (const batch of source.batches) {
          for (let i = 0; i < batch.count; i++) {
            rows.push(Buffer.from(batch.bytes).toString('latin1', batch.starts[i], batch.ends[i]));
          }
        }
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return 'refused';
      }
      const isTrue = rows.every(
        (row, i) =>
          row.slice(row.indexOf('\n')) === truth[i % 2]?.slice(truth[i % 2]?.indexOf('\n')),
      );
      if (!isTrue) throw new FuzzFailure(`rows that were never in it: ${rows.join('|')}`, bytes);
      return 'rows';
    },
  };
}

export async function outsideTargets(scope: Scope): Promise<FuzzTarget[]> {
  const directory = temporaryDirectory(scope, 'fuzz');
  return [
    controlTarget(),
    answerTarget(),
    idTarget(),
    ...configTargets(directory),
    ...(await queryTargets(scope)),
    csvTarget(),
    zipTarget(directory),
  ];
}
