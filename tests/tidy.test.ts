/**
 * The house rules, checked over the source itself: who may import whom, where the clock, randomness,
 * shared memory and the disk may be touched, and what a file looks like. A rule with exceptions names
 * them here, so that a new one is a decision.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const LINES_MAX = 450;

interface SourceFile {
  /** Path from the root, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and without the contents of strings' comments. */
  readonly code: string;
}

function sources(...folders: string[]): SourceFile[] {
  const found: SourceFile[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) walk(path);
      else if (/\.c?ts$/.test(name) && !name.endsWith('.d.ts')) {
        const text = readFileSync(path, 'utf8');
        const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
        found.push({ path: relative(ROOT, path), text, code });
      }
    }
  };
  for (const folder of folders) walk(join(ROOT, folder));
  return found;
}

const product = sources('schemas', 'src', 'actors');
const everything = [...product, ...sources('bench', 'tests')];

/** Files whose code matches, except those that may; and what may although nothing there does. */
function offenders(
  files: readonly SourceFile[],
  pattern: RegExp,
  may: readonly string[],
): string[] {
  const found = files.filter(({ code }) => pattern.test(code)).map(({ path }) => path);
  const needless = may.filter((allowed) => !found.some((path) => path.startsWith(allowed)));
  return [
    ...found.filter((path) => !may.some((allowed) => path.startsWith(allowed))),
    ...needless.map((allowed) => `${allowed} needs no exception`),
  ];
}

/**
 * Which folders of src a folder may import from, besides itself and schemas. Top to bottom: nobody
 * imports from above. Type-only imports obey, too.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  columns: ['base'],
  ring: ['base', 'columns'],
  log: ['base'],
  config: ['base'],
  exchanges: ['base', 'log'],
  trades: ['base', 'exchanges', 'log', 'config', 'columns'],
  candles: ['base', 'columns', 'trades'],
  // Where tables are: a folder, a bucket. What is in them is not its business.
  warehouse: ['base', 'config'],
  // The pool tells its workers where files go.
  lake: ['base', 'log', 'columns', 'candles', 'trades', 'warehouse'],
  // Which catalog there is stands in the configuration.
  iceberg: ['base', 'lake', 'warehouse', 'config'],
  output: ['base', 'candles'],
  sql: ['output'],
  import: ['base', 'log'],
  feed: ['base', 'log'],
  runtime: ['base', 'ring', 'columns', 'lake', 'config', 'feed', 'api'],
  state: ['base', 'candles', 'trades', 'lake', 'runtime', 'warehouse'],
  query: ['base', 'candles', 'lake', 'iceberg', 'output', 'warehouse'],
  maintenance: [
    'base',
    'config',
    'log',
    'lake',
    'candles',
    'trades',
    'iceberg',
    'state',
    'warehouse',
  ],
  simulator: ['base', 'log'],
  api: ['base', 'config', 'output', 'candles', 'trades', 'lake', 'query'],
  // Types only: see the test of it below.
  page: ['api', 'output', 'push'],
  push: ['base', 'config', 'output', 'candles', 'trades', 'api'],
  supervision: [
    'base',
    'ring',
    'log',
    'config',
    'trades',
    'candles',
    'lake',
    'iceberg',
    'runtime',
    'state',
    'maintenance',
    'api',
    'feed',
    'warehouse',
  ],
  commands: [
    'iceberg',
    'base',
    'config',
    'output',
    'import',
    'log',
    'lake',
    'exchanges',
    'trades',
    'runtime',
    'state',
    'maintenance',
    'supervision',
    'sql',
    'warehouse',
  ],
};

/** What a file imports of the project: `schemas`, `actors`, or `src/<folder>`. */
function importsOf({ path, code }: SourceFile): { layer: string; target: string }[] {
  const found: { layer: string; target: string }[] = [];
  for (const [, target = ''] of code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    let absolute: string;
    if (target.startsWith('#')) absolute = `${target.slice(1)}.ts`;
    else if (target.startsWith('.')) {
      absolute = join(dirname(path), target).replace(/\.js$/, '.ts');
    } else continue;
    const [top = '', folder = ''] = absolute.split('/');
    found.push({ layer: top === 'src' ? `src/${folder}` : top, target: absolute });
  }
  return found;
}

test('imports point downwards only', () => {
  const wrong: string[] = [];
  for (const file of product) {
    const [top = '', folder = ''] = file.path.split('/');
    for (const { layer, target } of importsOf(file)) {
      const from = top === 'src' ? folder : top;
      let allowed: boolean;
      if (top === 'schemas') allowed = layer === 'schemas';
      else if (top === 'actors') {
        allowed = !['tests', 'bench', 'src/supervision', 'src/commands'].includes(layer);
      } else if (folder.endsWith('.ts')) allowed = layer === 'schemas' || layer.startsWith('src/');
      else {
        const mine = MAY_IMPORT[folder];
        assert.ok(mine, `src/${folder} has no line in MAY_IMPORT`);
        allowed =
          layer === 'schemas' ||
          layer === `src/${folder}` ||
          mine.some((other) => layer === `src/${other}`);
      }
      if (!allowed) wrong.push(`${file.path} (${from}) imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no two files import each other, however far around', () => {
  const edges = new Map(
    product.map((file) => [file.path, importsOf(file).map(({ target }) => target)]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  assert.deepEqual(circles, []);
});

test('an actor imports no other actor, only its thread file does', () => {
  const wrong = product
    .filter(({ path }) => path.startsWith('actors/'))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ layer }) => layer === 'actors')
        .filter(({ target }) => {
          const own = file.path.replace('-thread.ts', '.ts');
          return (
            target !== own && target !== 'actors/thread.ts' && file.path !== 'actors/thread.ts'
          );
        })
        .map(({ target }) => `${file.path} imports ${target}`),
    );
  assert.deepEqual(wrong, []);
});

test('one clock, one source of randomness', () => {
  const clock = /\bDate\.now\b|\bperformance\.(now|timeOrigin)\b|\bhrtime\b|new Date\(\)/;
  assert.deepEqual(
    offenders(product, clock, ['src/base/clock.ts', 'src/demo.ts', 'src/page/']),
    [],
  );
  // A key that nobody may guess must not come from a seed; nothing that is kept depends on it.
  const secret = ['src/base/secret.ts'];
  const random = /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/;
  assert.deepEqual(offenders(product, random, secret), []);
});

test('the page takes nothing but types from outside, and makes no markup out of text', () => {
  const page = product.filter(({ path }) => path.startsWith('src/page/'));
  assert.ok(page.length > 0);
  // A browser cannot resolve `#`; types are gone by then.
  assert.deepEqual(offenders(page, /^import (?!type )[^;]*'#/m, []), []);
  const markup = /\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\b|new Function/;
  assert.deepEqual(offenders(page, markup, []), []);
  assert.deepEqual(offenders(page, /https?:\/\//, ['src/page/dom.ts']), []); // the name of SVG
});

test('timers come in through ports below the process itself', () => {
  const may = [
    'src/base/',
    'src/simulator/',
    'src/supervision/',
    // How long a process of its own may take to read the state.
    'src/state/check-apart.ts',
    // A socket's own limit, which an event stream must not have; not a timer.
    'src/push/event-stream.ts',
    'src/supervisor.ts',
    'src/demo.ts',
    // A program of the browser's, with the browser's clock and timers.
    'src/page/',
  ];
  assert.deepEqual(offenders(product, /\bset(Timeout|Interval|Immediate)\(/, may), []);
});

test('files are written through the disk port', () => {
  const writes =
    /\b(writeSync|writeFileSync|writeFile|appendFileSync|createWriteStream|renameSync|truncateSync|ftruncateSync|unlinkSync|rmSync)\b/;
  const may = [
    'src/base/node-disk.ts',
    // A thread's name goes into a file of the kernel's.
    'src/runtime/affinity.ts',
    // LMDB owns its files: the environment is built aside and renamed.
    'src/state/open-environment.ts',
  ];
  assert.deepEqual(offenders(product, writes, may), []);
});

test('shared memory is synchronised in a few files only', () => {
  const may = [
    'src/ring/',
    'src/runtime/counters.ts',
    'src/log/log-head.ts',
    'src/candles/live-candles.ts',
    'src/trades/live-trades.ts',
  ];
  assert.deepEqual(offenders(product, /\bAtomics\./, may), []);
});

test('worker threads are known to the supervision and to thread entries only', () => {
  const may = [
    'src/supervision/',
    'src/runtime/control-endpoint.ts',
    'src/base/loading-threads.ts',
    'src/base/pool-entry.cts',
    'actors/',
  ];
  assert.deepEqual(offenders(product, /node:worker_threads/, may), []);
});

test('every file opens with what it is, and none is longer than a newcomer can hold in mind', () => {
  const bare = product.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
  assert.deepEqual(
    bare.map(({ path }) => path),
    [],
  );
  const long = product.filter(({ text }) => text.split('\n').length > LINES_MAX);
  assert.deepEqual(
    long.map(({ path }) => path),
    [],
  );
});

test('names say what a thing is', () => {
  const banned = /(^|\/)(utils?|helpers?|common|misc|index|types)\.ts$|(Manager|Service|Impl)\b/;
  assert.deepEqual(
    everything.map(({ path }) => path).filter((path) => banned.test(path)),
    [],
  );
  const words = /\b(class|interface|type) \w+(Manager|Service|Impl|Helper|Util)\b/;
  assert.deepEqual(offenders(product, words, []), []);
});

test('nothing is left for later', () => {
  const marks = new RegExp(
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
  );
  assert.deepEqual(
    everything.filter(({ text }) => marks.test(text)).map(({ path }) => path),
    [],
  );
});
