/** Import readers: every row comes out once, tagged right, from plain files and archives. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { recordedData } from '#bench/captures';
import { EXIT, type ExitCode, UserError } from '#src/base/errors';
import type { RefusedLine } from '#src/import/import-batch';
import { type ImportOptions, openImport } from '#src/import/read-import';
import { FRAME_BYTES_MAX, KIND_CSV, KIND_IMPORT } from '#src/log/frame';
import { makeZip } from '#tests/import/make-zip';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const dir = temporaryDirectory({ after }, 'import');

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

interface Read {
  frames: string[];
  kinds: Set<number>;
  refused: RefusedLine[];
  bytesRead: number;
  bytesTotal: number;
  batches: number;
}

async function read(options: ImportOptions): Promise<Read> {
  const source = await openImport(options);
  const { bytesTotal } = source;
  const all: Read = {
    frames: [],
    kinds: new Set(),
    refused: [],
    bytesRead: 0,
    bytesTotal,
    batches: 0,
  };
  for await (const batch of source.batches) {
    assert.ok(batch.bytesRead >= all.bytesRead, 'progress never goes back');
    all.bytesRead = batch.bytesRead;
    all.batches++;
    all.kinds.add(batch.kind);
    all.refused.push(...batch.refused);
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    for (let i = 0; i < batch.count; i++) {
      all.frames.push(bytes.toString('utf8', batch.starts[i], batch.ends[i]));
    }
  }
  assert.equal(all.bytesRead, bytesTotal, 'progress ends at the total');
  return all;
}

async function refusal(options: ImportOptions, exitCode: ExitCode): Promise<string> {
  try {
    await read(options);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, exitCode);
    assert.doesNotMatch(error.message, /\n/);
    return error.message.replaceAll(`${dir}/`, '');
  }
  assert.fail('the file was accepted');
}

const TRADES = 'binance-trades-csv';
const AGGREGATES = 'binance-aggtrades-csv';
const ROWS = [
  '1,0.2312,100,23.12,1741046401271497,True,True',
  '2,0.2313,83.9,19.40607,1741046401321398,False,True',
];
const AGGREGATE_ROWS = ['1,0.2312,100,7,9,1741046401271497,True,True'];

describe('frames', () => {
  it('are the lines, as they are', async () => {
    const path = file('a.ndjson', '{"a":1}\r\n\n{"b":"é"}\n not json\n{"last":true}');
    const { frames, kinds } = await read({ path, format: 'frames' });
    assert.deepEqual(frames, ['{"a":1}', '{"b":"é"}', ' not json', '{"last":true}']);
    assert.deepEqual([...kinds], [KIND_IMPORT]);
  });

  it('of several entries of an archive follow one another', async () => {
    const path = file(
      'frames.zip',
      makeZip([
        { name: 'a/', content: Buffer.alloc(0), stored: true },
        { name: 'a/1.ndjson', content: Buffer.from('one\ntwo') },
        { name: 'a/2.ndjson', content: Buffer.from('three\n'), stored: true },
      ]),
    );
    assert.deepEqual((await read({ path, format: 'frames' })).frames, ['one', 'two', 'three']);
  });

  it('too long for a frame are reported, and the rest is read', async () => {
    const atLimit = 'x'.repeat(FRAME_BYTES_MAX);
    const path = file('long.ndjson', `a\n${atLimit}\n${atLimit}y\nb\n`);
    const { frames, refused } = await read({ path, format: 'frames' });
    assert.deepEqual(
      frames.map((f) => f.length),
      [1, FRAME_BYTES_MAX, 1],
    );
    assert.deepEqual(refused, [{ file: path, line: 3, bytes: FRAME_BYTES_MAX + 1 }]);
  });

  it('none in an empty file', async () => {
    assert.deepEqual((await read({ path: file('empty', ''), format: 'frames' })).frames, []);
  });

  it('come in batches of many, not one by one', async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `{"n":${i},"pad":"0123456789"}`);
    for (const [name, content] of [
      ['many.ndjson', Buffer.from(lines.join('\n'))],
      ['many.zip', makeZip([{ name: 'many', content: Buffer.from(lines.join('\n')) }])],
    ] as const) {
      const { frames, batches } = await read({ path: file(name, content), format: 'frames' });
      assert.deepEqual(frames, lines);
      assert.ok(batches <= 4, `${batches} batches for ${lines.length} lines`);
    }
  });
});

describe('a csv file', () => {
  const tagged = (tag: string, rows: readonly string[]) => rows.map((row) => `${tag}\n${row}`);

  const cases: readonly [
    name: string,
    fileName: string,
    content: string,
    options: Omit<ImportOptions, 'path'>,
    frames: readonly string[],
  ][] = [
    [
      'a trades dump: no header, symbol from the name',
      'TRXUSDT-trades-2025-03-04.csv',
      `${ROWS.join('\n')}\n`,
      { format: TRADES },
      tagged('TRXUSDT trades 0,1,2,4,5', ROWS),
    ],
    [
      'an aggTrades dump',
      'TRXUSDT-aggTrades-2025-03.csv',
      AGGREGATE_ROWS.join('\n'),
      { format: AGGREGATES },
      tagged('TRXUSDT aggTrades 0,1,2,5,6,3,4', AGGREGATE_ROWS),
    ],
    [
      'CRLF, a byte order mark and empty lines',
      'BTCUSDT-trades-2025-03-05.csv',
      `\ufeff\r\n${ROWS.join('\r\n\r\n')}\r\n\r\n`,
      { format: TRADES },
      tagged('BTCUSDT trades 0,1,2,4,5', ROWS),
    ],
    [
      "a header in the dumps' futures spelling",
      'ETHUSDT-aggTrades-2025-03-04.csv',
      'agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n1,2,3,4,5,6,true\n',
      { format: AGGREGATES },
      ['ETHUSDT aggTrades 0,1,2,5,6,3,4\n1,2,3,4,5,6,true'],
    ],
    [
      'a header in another order, and the symbol given',
      'x.csv',
      '"time","is_buyer_maker","qty","price","id"\n1,true,3,4,5\n',
      { format: TRADES, symbol: 'ADAUSDT' },
      ['ADAUSDT trades 4,3,2,0,1\n1,true,3,4,5'],
    ],
    [
      "a recorder's header: each row has its own symbol",
      'recorded.csv',
      'TransactionTime,Symbol,TradeId,Price,Quantity,IsBuyerMarketMaker\n1,TRXUSDT,2,3,4,1\n1,"BTCUSDT",2,3,4,0\n',
      { format: TRADES },
      [
        'TRXUSDT trades 2,3,4,0,5\n1,TRXUSDT,2,3,4,1',
        'BTCUSDT trades 2,3,4,0,5\n1,"BTCUSDT",2,3,4,0',
      ],
    ],
    [
      'rows without a usable symbol still go on, to be dead letters',
      'bad-symbols.csv',
      'id,price,qty,time,isBuyerMaker,symbol\n1,2,3,4,true\n1,2,3,4,true,\n1,2,3,4,true,A B\n1,2,3,4,true,BTCUSDT\n',
      { format: TRADES },
      [
        '? trades 0,1,2,3,4\n1,2,3,4,true',
        '? trades 0,1,2,3,4\n1,2,3,4,true,',
        '? trades 0,1,2,3,4\n1,2,3,4,true,A B',
        'BTCUSDT trades 0,1,2,3,4\n1,2,3,4,true,BTCUSDT',
      ],
    ],
    [
      'rows are not judged',
      'SOLUSDT-trades-2025-03-04.csv',
      `${ROWS[0]}\nnonsense\n,,,,,\n`,
      { format: TRADES },
      tagged('SOLUSDT trades 0,1,2,4,5', [ROWS[0] as string, 'nonsense', ',,,,,']),
    ],
    [
      'a header and nothing else',
      'none.csv',
      'id,price,qty,time,isBuyerMaker,symbol\n',
      { format: TRADES },
      [],
    ],
  ];
  for (const [name, fileName, content, options, frames] of cases) {
    it(name, async () => {
      const path = file(fileName, content);
      const got = await read({ path, ...options });
      assert.deepEqual(got.frames, frames);
      assert.deepEqual([...got.kinds], [KIND_CSV]);
      // The same bytes in an archive give the same frames.
      const archive = makeZip([
        { name: 'README.txt', content: Buffer.from('not a table') },
        { name: `folder/${fileName}`, content: Buffer.from(content) },
      ]);
      const zipped = await read({ path: file(`${fileName}.zip`, archive), ...options });
      assert.deepEqual(zipped.frames, frames);
    });
  }

  it('archive entries have each their own symbol and header', async () => {
    const archive = makeZip([
      { name: 'BTCUSDT-trades-2025-03-04.csv', content: Buffer.from(ROWS[0] as string) },
      {
        name: 'ETHUSDT-trades-2025-03-04.csv',
        content: Buffer.from('id,price,qty,time,isBuyerMaker\n1,2,3,4,true'),
      },
    ]);
    const { frames } = await read({ path: file('two.zip', archive), format: TRADES });
    assert.deepEqual(frames, [
      `BTCUSDT trades 0,1,2,4,5\n${ROWS[0]}`,
      'ETHUSDT trades 0,1,2,3,4\n1,2,3,4,true',
    ]);
  });

  it('whatever the rows are, each non-empty one comes out once behind its tag', async () => {
    const line = fc.string({ unit: fc.constantFrom('1', ',', 'a', 'é', '"', '.') });
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (lines) => {
        const path = file('P2PUSDT-trades-2025-01.csv', [ROWS[0], ...lines].join('\n'));
        const { frames } = await read({ path, format: TRADES });
        const rows = lines.filter((text) => text !== '');
        assert.deepEqual(frames.slice(1), tagged('P2PUSDT trades 0,1,2,4,5', rows));
      }),
      { numRuns: 50 },
    );
  });
});

describe('refused with one sentence', () => {
  const zip = (name: string, ...args: Parameters<typeof makeZip>) => file(name, makeZip(...args));
  const csv = Buffer.from(`${ROWS.join('\n')}\n`);
  const NAME = 'TRXUSDT-trades-2025-03-04.csv';

  const cases: readonly [
    name: string,
    options: () => ImportOptions,
    exitCode: ExitCode,
    message: string | RegExp,
  ][] = [
    [
      'no such file',
      () => ({ path: join(dir, 'nowhere.csv'), format: TRADES }),
      EXIT.noInput,
      'nowhere.csv: there is no such file',
    ],
    [
      'a directory',
      () => {
        mkdirSync(join(dir, 'folder'), { recursive: true });
        return { path: join(dir, 'folder'), format: 'frames' };
      },
      EXIT.noInput,
      'folder: this is a directory, not a file',
    ],
    [
      'no symbol anywhere',
      () => ({ path: file('trades.csv', csv), format: TRADES }),
      EXIT.usage,
      "trades.csv: neither the file's name (SYMBOL-trades-DATE.csv) nor a Symbol column says which symbol this is: give it with --symbol",
    ],
    [
      'a symbol that is none',
      () => ({ path: file('trades.csv', csv), format: TRADES, symbol: 'btc usdt' }),
      EXIT.usage,
      'the symbol must be 2 to 32 capital letters and digits, such as BTCUSDT, got "btc usdt"',
    ],
    [
      'a row of another symbol than given',
      () => ({
        path: file('s.csv', 'id,price,qty,time,isBuyerMaker,Symbol\n1,2,3,4,true,ETHUSDT\n'),
        format: TRADES,
        symbol: 'BTCUSDT',
      }),
      EXIT.data,
      's.csv:2: the row is of "ETHUSDT", not of BTCUSDT: leave out --symbol to take each row\'s own',
    ],
    [
      'the other kind by its name',
      () => ({ path: file('TRXUSDT-aggTrades-2025-03.csv', csv), format: TRADES }),
      EXIT.data,
      'TRXUSDT-aggTrades-2025-03.csv: a file of aggTrades by its name, not of trades',
    ],
    [
      'aggregate trades read as trades',
      () => ({ path: file('x.csv', AGGREGATE_ROWS[0] as string), format: TRADES, symbol: 'AAAA' }),
      EXIT.data,
      'x.csv: the first line is neither a header nor a row of the columns id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch',
    ],
    [
      'trades read as aggregate trades',
      () => ({ path: file('x.csv', ROWS[0] as string), format: AGGREGATES, symbol: 'AAAA' }),
      EXIT.data,
      'x.csv: the first line is neither a header nor a row of the columns aggId,price,qty,firstId,lastId,time,isBuyerMaker,isBestMatch',
    ],
    [
      'a header without the price',
      () => ({ path: file('x.csv', 'id,prise,qty,time,isBuyerMaker\n'), format: TRADES }),
      EXIT.data,
      'x.csv: the header of a trades file needs a column named one of price, and this one is "id,prise,qty,time,isBuyerMaker"',
    ],
    [
      'not a zip archive',
      () => ({ path: file('not.zip', 'hello'), format: TRADES }),
      EXIT.data,
      /^not\.zip: the zip archive cannot be read: /,
    ],
    [
      'an archive without tables',
      () => ({ path: zip('e.zip', [{ name: 'a.txt', content: csv }]), format: TRADES }),
      EXIT.data,
      'e.zip: the archive holds no file of this format',
    ],
    [
      'an encrypted entry',
      () => ({
        path: zip('c.zip', [{ name: NAME, content: csv, encrypted: true }]),
        format: TRADES,
      }),
      EXIT.data,
      `c.zip/${NAME}: the entry is encrypted`,
    ],
    [
      'a wrong checksum',
      () => ({ path: zip('d.zip', [{ name: NAME, content: csv, crc: 1 }]), format: TRADES }),
      EXIT.data,
      `d.zip/${NAME}: its checksum does not match: the archive is damaged`,
    ],
    [
      'a name that leads out of the archive',
      () => ({ path: zip('p.zip', [{ name: '../a.csv', content: csv }]), format: TRADES }),
      EXIT.data,
      /^p\.zip: the zip archive cannot be read: invalid relative path/,
    ],
    [
      'damaged compressed data',
      () => {
        const bytes = makeZip([{ name: NAME, content: csv }]);
        bytes.fill(0xff, 30 + NAME.length, 50 + NAME.length);
        return { path: file('f.zip', bytes), format: TRADES };
      },
      EXIT.data,
      /^f\.zip\/TRXUSDT-trades-2025-03-04\.csv: the zip archive cannot be read: /,
    ],
  ];
  for (const [name, options, exitCode, message] of cases) {
    it(name, async () => {
      const got = await refusal(options(), exitCode);
      if (typeof message === 'string') assert.equal(got, message);
      else assert.match(got, message);
    });
  }

  it('a zip archive cut anywhere is refused or read whole, and never crashes', async () => {
    const whole = makeZip([{ name: NAME, content: csv }]);
    for (let bytes = 0; bytes < whole.length; bytes += 5) {
      const path = file('cut.zip', whole.subarray(0, bytes));
      assert.match(await refusal({ path, format: TRADES }, EXIT.data), /^cut\.zip/);
    }
  });
});

it('leaving early closes the file', async (t) => {
  if (!existsSync('/proc/self/fd')) return t.skip('open files are not listed on this system');
  const content = Buffer.from('x\n'.repeat(99));
  const paths = [file('early.zip', makeZip([{ name: 'a', content }])), file('early', content)];
  const isOpen = (path: string) =>
    readdirSync('/proc/self/fd').some((fd) => {
      const link = join('/proc/self/fd', fd);
      return existsSync(link) && readlinkSync(link) === path;
    });
  for (const path of paths) {
    const { batches } = await openImport({ path, format: 'frames' });
    for await (const batch of batches) {
      assert.ok(batch.count > 0);
      assert.ok(isOpen(path));
      break;
    }
    // Closing goes through the thread pool: give it turns of the event loop, not time.
    for (let turn = 0; turn < 10_000 && isOpen(path); turn++) await setImmediate();
    assert.ok(!isOpen(path), `${path} is still open`);
  }
});

it('the recorded TRXUSDT file gives its 10,000 rows', async (t) => {
  const path = recordedData('binance-trxusdt-2025-03-04/trades.csv');
  if (path === undefined) return t.skip('recorded data is not on this machine');
  const { frames } = await read({ path, format: TRADES });
  const rows = readFileSync(path, 'utf8').trimEnd().split(/\r?\n/).slice(1);
  assert.equal(frames.length, 10_000);
  assert.deepEqual(
    frames,
    rows.map((row) => `TRXUSDT trades 6,7,8,4,9\n${row}`),
  );
});

it('the recorded captures give a frame for every line', async (t) => {
  const path = recordedData('captures/kraken-btc-eth-2026-07-07.ndjson');
  if (path === undefined) return t.skip('recorded data is not on this machine');
  const { frames } = await read({ path, format: 'frames' });
  assert.deepEqual(frames, readFileSync(path, 'utf8').trimEnd().split('\n'));
});
