/** The configuration: what loads, what each mistake is answered with, and which layer wins. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { EXIT, UserError } from '#src/base/errors';
import { environmentNames } from '#src/config/environment';
import { loadConfig } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const dir = temporaryDirectory({ after }, 'config');

/** Message of the UserError that `load` ends with; anything else fails the test. */
function refusal(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, EXIT.config);
    assert.doesNotMatch(error.message, /\n/, 'one sentence, one line');
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

function withFile(yaml: string, env: Record<string, string> = {}) {
  writeFileSync(join(dir, 'my.yaml'), yaml);
  return loadConfig({ env, cwd: dir, configPath: 'my.yaml' });
}

function withEnv(env: Record<string, string>) {
  return loadConfig({ env, cwd: dir });
}

describe('configs/', () => {
  it('default.yaml is complete and leads to the live exchanges', () => {
    const config = withEnv({});
    assert.equal(config.http.port, 8080);
    assert.equal(config.http.host, '127.0.0.1');
    assert.equal(config.exchanges.binance.channel, 'trade');
    assert.equal(config.layout.cores, 'auto');
    assert.match(config.exchanges.kraken.ws_url, /^wss:/);
    assert.equal(config.data_dir, join(dir, 'data/live'));
  });

  it('demo.yaml cannot reach a real exchange and is found from any directory', () => {
    const config = loadConfig({ env: {}, cwd: dir, configPath: 'configs/demo.yaml' });
    for (const { ws_url, rest_url } of Object.values(config.exchanges)) {
      assert.equal(new URL(ws_url).hostname, '127.0.0.1');
      assert.equal(new URL(rest_url).hostname, '127.0.0.1');
    }
    assert.equal(config.epochs.interval_ms, 10_000);
  });

  it('has a comment for every key of default.yaml', () => {
    const lines = readFileSync(join(PACKAGE_ROOT, 'configs/default.yaml'), 'utf8').split('\n');
    const explained = new Set<string>();
    const bare: string[] = [];
    lines.forEach((line, i) => {
      const key = /^ *([a-z_0-9]+): \S/.exec(line)?.[1];
      if (key === undefined) return;
      // The exchanges share their keys: explained once, under the first of them.
      if (/^ *#/.test(lines[i - 1] as string)) explained.add(key);
      if (!explained.has(key)) bare.push(key);
    });
    assert.deepEqual(bare, []);
    assert.ok(explained.size > 25);
  });

  it('is frozen all the way down', () => {
    const config = withEnv({ BULLION_LAYOUT_CORES: '0,1' });
    assert.throws(() => Object.assign(config.http, { port: 1 }), TypeError);
    assert.throws(() => (config.layout.cores as number[]).push(1), TypeError);
  });
});

describe('a wrong file', () => {
  const cases: readonly [name: string, yaml: string, message: string][] = [
    [
      'unknown key',
      'exchanges:\n  binance:\n    stream_kind: trade\n',
      'my.yaml:3: exchanges.binance.stream_kind is not a known key; allowed: enabled, ws_url, rest_url, silence_limit_ms, connection_age_max_ms, backfill, channel',
    ],
    [
      'unknown key at the top',
      'htpp: { port: 1 }\n',
      'my.yaml:1: htpp is not a known key; allowed: data_dir, warehouse, s3, catalog, http, layout, exchanges, bronze, validation, candles, epochs, batches, supervision, maintenance, log',
    ],
    [
      'a key of another exchange',
      'exchanges: { kraken: { channel: trade } }\n',
      'my.yaml:1: exchanges.kraken.channel is not a known key; allowed: enabled, ws_url, rest_url, silence_limit_ms, connection_age_max_ms, backfill',
    ],
    [
      '__proto__',
      '__proto__: { port: 1 }\n',
      'my.yaml:1: __proto__ is not a known key; allowed: data_dir, warehouse, s3, catalog, http, layout, exchanges, bronze, validation, candles, epochs, batches, supervision, maintenance, log',
    ],
    [
      'a key that would break the sentence apart',
      'candles: { ? "01\\n\\n02" : 1 }\n',
      'my.yaml:1: candles."01\\n\\n02" is not a known key; allowed: allowed_lateness_ms, live_depth',
    ],
    [
      'wrong type',
      'http:\n  port: abc\n',
      'my.yaml:2: http.port must be an integer from 0 to 65535, got "abc"',
    ],
    [
      'out of range',
      'http:\n  port: 65536\n',
      'my.yaml:2: http.port must be an integer from 0 to 65535, got 65536',
    ],
    [
      'not whole',
      'http: { port: 80.5 }',
      'my.yaml:1: http.port must be an integer from 0 to 65535, got 80.5',
    ],
    [
      'not a boolean',
      '\n\nexchanges:\n  kraken:\n    enabled: yes\n',
      'my.yaml:5: exchanges.kraken.enabled must be true or false, got "yes"',
    ],
    [
      'not one of the names',
      'exchanges: { binance: { channel: trades } }',
      'my.yaml:1: exchanges.binance.channel must be one of trade, aggTrade, got "trades"',
    ],
    [
      'a remote address',
      'http: { host: 0.0.0.0 }',
      'my.yaml:1: http.host must be 127.0.0.1 or ::1 unless http.allow_remote is true, got "0.0.0.0"',
    ],
    [
      'no TLS to another machine',
      'exchanges: { kraken: { ws_url: "ws://ws.kraken.com/v2" } }',
      'my.yaml:1: exchanges.kraken.ws_url must be a wss:// URL (ws:// to this machine only), got "ws://ws.kraken.com/v2"',
    ],
    [
      'a name that only begins like this machine',
      'exchanges: { kraken: { ws_url: "ws://127.0.0.1.example.com/" } }',
      'my.yaml:1: exchanges.kraken.ws_url must be a wss:// URL (ws:// to this machine only), got "ws://127.0.0.1.example.com/"',
    ],
    [
      'repeated cores',
      'layout: { cores: [1, 1] }',
      'my.yaml:1: layout.cores must be auto or a list of different core numbers, such as [0, 1, 2], got [1,1]',
    ],
    [
      'a section without keys',
      'bronze:\n',
      'my.yaml:1: bronze must be a mapping with the keys sync_interval_ms, segment_mb, segment_minutes, got nothing',
    ],
    [
      'a list for a section',
      'log: [info]\n',
      'my.yaml:1: log must be a mapping with the keys level, got ["info"]',
    ],
    ['a list for the file', '- http\n', 'my.yaml: a mapping of keys to values was expected'],
    [
      'a key twice',
      'log: { level: info }\nlog: { level: warn }\n',
      'my.yaml:2: this is not valid YAML: Map keys must be unique',
    ],
    [
      'nothing enabled',
      'exchanges:\n  binance: { enabled: false }\n  kraken: { enabled: false }\n  coinbase: { enabled: false }\n',
      'my.yaml:1: exchanges: at least one of them must be enabled',
    ],
    [
      'silence above age',
      'exchanges:\n  kraken:\n    connection_age_max_ms: 10000\n    silence_limit_ms: 10000\n',
      'my.yaml:4: exchanges.kraken.silence_limit_ms must be below connection_age_max_ms, which is 10000, got 10000',
    ],
    [
      'slot above chunk',
      'batches:\n  rows: 8192\n  chunk_rows: 4096\n',
      'my.yaml:2: batches.rows must not be above batches.chunk_rows, which is 4096, got 8192',
    ],
  ];
  for (const [name, yaml, message] of cases) {
    it(name, () =>
      assert.equal(
        refusal(() => withFile(yaml)),
        message,
      ),
    );
  }

  it('broken YAML is named with its line', () => {
    const message = refusal(() => withFile('http:\n  port: [1\nlog: {}\n'));
    assert.match(message, /^my\.yaml:\d+: this is not valid YAML: /);
  });

  it('brackets nested by thousands are refused before they cost minutes', () => {
    const message = refusal(() => withFile(`http:\n  port: ${'['.repeat(4_000)}\n`));
    assert.equal(message, 'my.yaml:2: brackets are nested more than 64 deep');
  });

  it('aliases that multiply are refused', () => {
    const levels = Array.from({ length: 9 }, (_, i) => {
      const uses = Array.from({ length: 9 }, () => (i === 0 ? 'x' : `*a${i - 1}`)).join(', ');
      return `a${i}: &a${i} [${uses}]`;
    });
    assert.match(
      refusal(() => withFile(levels.join('\n'))),
      /^my\.yaml: this is not valid YAML/,
    );
  });

  it('a missing file and a directory', () => {
    const load = (configPath: string) => () => loadConfig({ env: {}, cwd: dir, configPath });
    assert.equal(refusal(load('nowhere.yaml')), 'nowhere.yaml: there is no such file');
    assert.equal(refusal(load('.')), '.: this is a directory, not a file');
  });

  it('a key missing from default.yaml itself', () => {
    const root = join(dir, 'root');
    mkdirSync(join(root, 'configs'), { recursive: true });
    const text = readFileSync(join(PACKAGE_ROOT, 'configs/default.yaml'), 'utf8');
    writeFileSync(join(root, 'configs/default.yaml'), text.replace('  port: 8080\n', ''));
    const message = refusal(() => loadConfig({ env: {}, cwd: dir, root }));
    assert.match(
      message,
      /^configs\/default\.yaml:\d+: http\.port is missing; it must be an integer from 0 to 65535$/,
    );
  });
});

describe('the environment', () => {
  it('goes over the file, and the file over the default', () => {
    const yaml = 'http: { port: 1111 }\nepochs: { interval_ms: 2222 }\n';
    const config = withFile(yaml, { BULLION_HTTP_PORT: '3333' });
    assert.equal(config.http.port, 3333);
    assert.equal(config.epochs.interval_ms, 2222);
    assert.equal(config.epochs.rows_max, 2_000_000);
  });

  it('sets values of every type', () => {
    const config = withEnv({
      BULLION_DATA_DIR: '/srv/bullion',
      BULLION_BINANCE_STREAM: 'aggTrade',
      BULLION_EXCHANGES_KRAKEN_ENABLED: 'false',
      BULLION_EXCHANGES_COINBASE_WS_URL: 'ws://127.0.0.1:4321/feed',
      BULLION_EPOCHS_INTERVAL_MS: '1000',
      BULLION_LAYOUT_CORES: '0, 2',
      PATH: '/bin',
      BULLION_SHARED_DATA: '/elsewhere',
    });
    assert.equal(config.data_dir, '/srv/bullion');
    assert.equal(config.exchanges.binance.channel, 'aggTrade');
    assert.equal(config.exchanges.kraken.enabled, false);
    assert.equal(config.exchanges.coinbase.ws_url, 'ws://127.0.0.1:4321/feed');
    assert.equal(config.epochs.interval_ms, 1000);
    assert.deepEqual(config.layout.cores, [0, 2]);
  });

  const cases: readonly [name: string, env: Record<string, string>, message: string][] = [
    [
      'unknown variable',
      { BULLION_HTPP_PORT: '1' },
      'BULLION_HTPP_PORT is not a setting; a variable is BULLION_ and the key in upper case, such as BULLION_HTTP_PORT for http.port',
    ],
    [
      'not a number',
      { BULLION_HTTP_PORT: 'abc' },
      'BULLION_HTTP_PORT: http.port must be an integer from 0 to 65535, got "abc"',
    ],
    [
      'empty',
      { BULLION_HTTP_PORT: '' },
      'BULLION_HTTP_PORT: http.port must be an integer from 0 to 65535, got ""',
    ],
    [
      'hexadecimal',
      { BULLION_HTTP_PORT: '0x50' },
      'BULLION_HTTP_PORT: http.port must be an integer from 0 to 65535, got "0x50"',
    ],
    [
      'not a boolean',
      { BULLION_EXCHANGES_KRAKEN_BACKFILL: '1' },
      'BULLION_EXCHANGES_KRAKEN_BACKFILL: exchanges.kraken.backfill must be true or false, got "1"',
    ],
    [
      'short name',
      { BULLION_BINANCE_STREAM: 'trades' },
      'BULLION_BINANCE_STREAM: exchanges.binance.channel must be one of trade, aggTrade, got "trades"',
    ],
    [
      'one key twice',
      { BULLION_BINANCE_STREAM: 'trade', BULLION_EXCHANGES_BINANCE_CHANNEL: 'trade' },
      'BULLION_BINANCE_STREAM and BULLION_EXCHANGES_BINANCE_CHANNEL both set exchanges.binance.channel: keep one of them',
    ],
    [
      'bad core list',
      { BULLION_LAYOUT_CORES: '0,x' },
      'BULLION_LAYOUT_CORES: layout.cores must be auto or a list of different core numbers, such as [0, 1, 2], got [0,"x"]',
    ],
  ];
  for (const [name, env, message] of cases) {
    it(name, () =>
      assert.equal(
        refusal(() => withEnv(env)),
        message,
      ),
    );
  }

  it('has one variable for every key, by the rule', () => {
    const names = environmentNames();
    const paths = [...names.values()].map((path) => path.join('.'));
    // The one key with a short name is there twice; no other two variables share a key or a name.
    assert.equal(new Set(paths).size, names.size - 1);
    for (const [name, path] of names) {
      if (name === 'BULLION_BINANCE_STREAM') continue;
      assert.equal(name, `BULLION_${path.join('_').toUpperCase()}`);
    }
    // ... and every scalar of default.yaml is among them.
    const text = readFileSync(join(PACKAGE_ROOT, 'configs/default.yaml'), 'utf8');
    assert.equal(text.match(/^ *[a-z_0-9]+: \S/gm)?.length, new Set(paths).size);
  });

  it('no text breaks it: a value is taken or refused in one sentence', () => {
    const names = [...environmentNames().keys()];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string({ unit: 'grapheme' }), (name, text) => {
        try {
          withEnv({ [name]: text });
        } catch (error) {
          assert.ok(error instanceof UserError, String(error));
          assert.ok(error.message.includes(name), error.message);
        }
      }),
      { numRuns: 100 },
    );
  });
});
