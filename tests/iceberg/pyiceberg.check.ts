/**
 * Not part of `npm test`: needs a Python with pyiceberg, pyarrow and moto, for the external catalog the
 * JDK and Maven, and the recorded captures.
 *
 *   python3 -m venv V && V/bin/pip install pyiceberg pyarrow 'moto[server]'
 *   npm run build && node dist/tests/iceberg/pyiceberg.check.js V/bin/python
 *
 * Another engine opens the tables, after the imports and again after compaction and expiry:
 *
 *   in a folder          by metadata file, and through Bullion's own REST catalog
 *   in a bucket          the same over S3, of a server that is not ours (moto)
 *   of another catalog   through Apache Iceberg's own REST catalog, which Bullion commits to
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { recordedData } from '#bench/captures';
import {
  bullion,
  type Env,
  expectedFigures,
  importCaptures,
  startServer,
  urlOf,
} from '#tests/iceberg/recorded-lake';

const FIXTURES = resolve('tests/iceberg');
const KEYS = { AWS_ACCESS_KEY_ID: 'testing', AWS_SECRET_ACCESS_KEY: 'testing' };

const [python = ''] = process.argv.slice(2);
assert.ok(python, 'usage: node dist/tests/iceberg/pyiceberg.check.js PYTHON');

const children: ChildProcess[] = [];
const root = mkdtempSync(join(tmpdir(), 'bullion-pyiceberg-'));

/** A server of a test: it prints its URL when it is up, and ends with this process. */
async function start(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  const lines = createInterface(child.stdout);
  const [url] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
  assert.match(String(url), /^http:\/\/127\.0\.0\.1:\d+$/, `${command} did not start`);
  return url as string;
}

interface Place {
  readonly env: Env;
  /** URI of the folder the tables are in; none where only the catalog knows the newest metadata. */
  readonly lake: string | undefined;
  /** For PyIceberg's files. */
  readonly properties: Env;
  /** A catalog besides Bullion's own. */
  readonly catalog?: string;
}

async function openWithPyIceberg(dir: string, place: Place, silver: number): Promise<void> {
  const server = startServer(dir, place.env);
  children.push(server);
  const own = `${await urlOf(server)}/iceberg`;
  const request = join(dir, 'request.json');
  const { lake, properties, catalog } = place;
  const figures = expectedFigures(place.env, silver);
  const catalogs = [own, ...(catalog === undefined ? [] : [catalog])];
  writeFileSync(request, JSON.stringify({ lake, properties, catalogs, own, expected: figures }));
  execFileSync(python, [join(FIXTURES, 'pyiceberg_check.py'), request], { stdio: 'inherit' });
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
}

/** Everything that changes what files a table has, and forgets all but the newest snapshot. */
function compactAndExpire(env: Env): void {
  const outcome = (text: string): string => JSON.parse(text).outcome;
  assert.equal(outcome(bullion(env, 'jobs', 'run', 'compaction', '--json')), 'done');
  const newest = {
    BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MIN: '1',
    BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MAX: '1',
    BULLION_MAINTENANCE_SNAPSHOTS_AGE_HOURS: '0',
  };
  assert.equal(
    outcome(bullion({ ...env, ...newest }, 'jobs', 'run', 'snapshots', '--json')),
    'done',
  );
}

async function check(name: string, captures: string, make: (dir: string) => Promise<Place>) {
  const dir = mkdtempSync(join(root, `${name}-`));
  const place = await make(dir);
  const silver = importCaptures(place.env, captures);
  console.log(`== ${name}, after the imports`);
  await openWithPyIceberg(dir, place, silver);
  compactAndExpire(place.env);
  console.log(`== ${name}, after compaction and expiry`);
  await openWithPyIceberg(dir, place, silver);
}

async function inFolder(dir: string): Promise<Place> {
  const env = { BULLION_DATA_DIR: join(dir, 'data') };
  return { env, lake: `file://${dir}/data/lake`, properties: {} };
}

async function inBucket(dir: string): Promise<Place> {
  const endpoint = await start(python, [join(FIXTURES, 's3_server.py'), 'lakes']);
  const lake = 's3://lakes/market';
  const env = {
    ...KEYS,
    BULLION_DATA_DIR: join(dir, 'data'),
    BULLION_WAREHOUSE: lake,
    BULLION_S3_ENDPOINT: endpoint,
    BULLION_S3_PATH_STYLE: 'true',
  };
  const properties = {
    's3.endpoint': endpoint,
    's3.access-key-id': KEYS.AWS_ACCESS_KEY_ID,
    's3.secret-access-key': KEYS.AWS_SECRET_ACCESS_KEY,
    's3.region': 'us-east-1',
  };
  return { env, lake, properties };
}

async function ofAnotherCatalog(dir: string): Promise<Place> {
  const classpath = join(dir, 'classpath');
  const pom = join(FIXTURES, 'rest-fixture/pom.xml');
  const build = ['-q', '-f', pom, 'dependency:build-classpath', `-Dmdep.outputFile=${classpath}`];
  execFileSync('mvn', build, { stdio: 'inherit' });
  const source = join(FIXTURES, 'rest-fixture/Server.java');
  const uri = await start('java', ['-cp', readFileSync(classpath, 'utf8').trim(), source]);
  const env = {
    BULLION_DATA_DIR: join(dir, 'data'),
    BULLION_CATALOG_TYPE: 'rest',
    BULLION_CATALOG_URI: uri,
  };
  return { env, lake: undefined, properties: {}, catalog: uri };
}

function hasMaven(): boolean {
  return spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status === 0;
}

async function main(): Promise<void> {
  const captures = recordedData('captures');
  if (captures === undefined) {
    console.log('skipped: the recorded captures are not here; BULLION_SHARED_DATA says where');
    return;
  }
  await check('in a folder', captures, inFolder);
  await check('in a bucket', captures, inBucket);
  if (hasMaven()) await check('of another catalog', captures, ofAnotherCatalog);
  else console.log('of another catalog, skipped: it is built by mvn, which is not here');
}

try {
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
}
