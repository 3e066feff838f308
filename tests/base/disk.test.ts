/** The disk port: full writes, durable files, and that the machine's disk keeps to it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Disk,
  makeDirectoryDurably,
  readFile,
  writeFileDurably,
  writeFully,
} from '#src/base/disk';
import { nodeDisk } from '#src/base/node-disk';
import { inTemporaryDirectory, randomFrom } from '#tests/support/log-fixtures';
import { MemoryDisk } from '#tests/support/memory-disk';

test('writeFully writes everything, whatever each write takes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(50),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (bytes, position, shorts) => {
        const disk = new MemoryDisk();
        const fd = disk.open('/f', 'create');
        disk.fault = (_, count) => ({ shortBytes: shorts[count % shorts.length] as number });
        writeFully(disk, fd, bytes, position);
        if (bytes.length > 0) {
          assert.deepEqual(disk.contents('/f').subarray(position), Buffer.from(bytes));
        }
      },
    ),
  );
});

test('writeFully throws what the system says once nothing more fits, or EIO when it says nothing', () => {
  const disk = new MemoryDisk();
  disk.capacityBytes = 100;
  const fd = disk.open('/f', 'create');
  assert.throws(() => writeFully(disk, fd, Buffer.alloc(150, 1), 0), { code: 'ENOSPC' });
  assert.equal(disk.size(fd), 100);
  disk.fault = () => ({ shortBytes: 0 });
  assert.throws(() => writeFully(disk, fd, Buffer.alloc(1), 0), { code: 'EIO' });
});

test('a durable file is the old one or the new one, whole, whatever fails and whenever power goes', () => {
  const before = Buffer.alloc(1_500, 'before');
  const after = Buffer.alloc(2_500, 'after');
  for (let seed = 0; seed < 300; seed++) {
    const disk = new MemoryDisk();
    disk.mkdir('/d');
    writeFileDurably(disk, '/d/f', before);
    const start = disk.operations;
    const stop = start + (seed % 9);
    disk.fault = (_, count) => (count >= stop ? { code: 'EIO' } : undefined);
    let done = true;
    try {
      writeFileDurably(disk, '/d/f', after);
    } catch {
      done = false;
    }
    const left = disk.crash(randomFrom(seed)).contents('/d/f');
    assert.ok(left.equals(after) || (!done && left.equals(before)), `seed ${seed}`);
    disk.fault = () => undefined;
    assert.ok(readFile(disk, '/d/f').equals(done ? after : disk.contents('/d/f')));
    assert.equal(disk.openFiles, 0);
  }
});

test('a failed durable write leaves no temporary file', () => {
  const disk = new MemoryDisk();
  disk.mkdir('/d');
  disk.fault = (operation) => (operation === 'fsync' ? { code: 'EIO' } : undefined);
  assert.throws(() => writeFileDurably(disk, '/d/f', Buffer.from('x')), { code: 'EIO' });
  assert.deepEqual(disk.readdir('/d'), []);
});

/** The same calls on any disk, with what they answered; paths relative to `root`. */
async function exercise(disk: Disk, root: string): Promise<unknown[]> {
  const said: unknown[] = [];
  const say = (call: () => unknown): void => {
    try {
      said.push(call());
    } catch (error) {
      said.push((error as NodeJS.ErrnoException).code);
    }
  };
  const bytes = Buffer.from('0123456789');
  const into = Buffer.alloc(20);
  say(() => disk.stat(`${root}/a`));
  say(() => disk.open(`${root}/a`, 'read'));
  say(() => disk.open(`${root}/a`, 'update'));
  say(() => disk.open(`${root}/no/a`, 'create'));
  makeDirectoryDurably(disk, `${root}/x/y`);
  makeDirectoryDurably(disk, `${root}/x/y`);
  say(() => disk.mkdir(`${root}/x`));
  say(() => disk.mkdir(`${root}/p/q`));
  say(() => disk.readdir(`${root}/p`));
  say(() => disk.readdir(root).sort());
  say(() => disk.stat(`${root}/x/y`)?.directory);
  const fd = disk.open(`${root}/a`, 'create');
  say(() => disk.write(fd, bytes, 2, 5, 0));
  say(() => disk.write(fd, bytes, 0, 3, 8));
  say(() => disk.size(fd));
  say(() => disk.read(fd, into, 1, 15, 0));
  said.push(into.toString('latin1'));
  say(() => disk.read(fd, into, 0, 5, 100));
  disk.fsync(fd);
  await disk.datasync(fd);
  disk.truncate(fd, 4);
  disk.close(fd);
  say(() => disk.close(9_999));
  await assert.rejects(disk.datasync(9_999));
  say(() => readFile(disk, `${root}/a`).toString());
  disk.link(`${root}/a`, `${root}/b`);
  say(() => disk.link(`${root}/a`, `${root}/b`));
  say(() => disk.link(`${root}/none`, `${root}/c`));
  disk.rename(`${root}/a`, `${root}/c`);
  say(() => disk.rename(`${root}/a`, `${root}/c`));
  disk.unlink(`${root}/b`);
  say(() => disk.unlink(`${root}/b`));
  writeFileDurably(disk, `${root}/c`, bytes);
  disk.syncDirectory(root);
  say(() => disk.stat(`${root}/c`));
  say(() => disk.readdir(root).sort());
  disk.close(disk.open(`${root}/c`, 'create'));
  say(() => disk.stat(`${root}/c`)?.bytes);
  return said;
}

test('the machine`s disk and the one in memory answer alike', async () => {
  await inTemporaryDirectory(async (root) => {
    const memory = new MemoryDisk();
    memory.mkdir('/root');
    assert.deepEqual(await exercise(memory, '/root'), await exercise(nodeDisk(), root));
  });
});

test('files are 0600, directories 0700, and symbolic links are not followed', async () => {
  await inTemporaryDirectory(async (root) => {
    const disk = nodeDisk();
    disk.mkdir(`${root}/d`);
    writeFileDurably(disk, `${root}/d/f`, Buffer.from('x'));
    assert.equal(fs.statSync(`${root}/d`).mode & 0o777, 0o700);
    assert.equal(fs.statSync(`${root}/d/f`).mode & 0o777, 0o600);
    fs.symlinkSync(`${root}/d/f`, `${root}/link`);
    for (const mode of ['read', 'update', 'create'] as const) {
      assert.throws(() => disk.open(`${root}/link`, mode), { code: 'ELOOP' });
    }
    assert.equal(fs.readFileSync(`${root}/d/f`, 'utf8'), 'x');
  });
});

test('a real short write, under a file size limit, ends in the system`s error', async (t) => {
  await inTemporaryDirectory(async (root) => {
    const code = `
      const [, path, ...urls] = process.argv;
      const [{ writeFully }, { nodeDisk }] = await Promise.all(urls.map((url) => import(url)));
      process.on('SIGXFSZ', () => {});
      const disk = nodeDisk();
      const fd = disk.open(path, 'create');
      try { writeFully(disk, fd, Buffer.alloc(12_000, 1), 0); console.log('none'); }
      catch (error) { console.log(error.code, disk.size(fd)); }`;
    const urls = ['disk', 'node-disk'].map((name) => import.meta.resolve(`#src/base/${name}`));
    const node = [process.execPath, '--input-type=module', '-e', code, `${root}/f`, ...urls];
    const quoted = node.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const run = spawnSync('bash', ['-c', `ulimit -f 8 && exec ${quoted}`], { encoding: 'utf8' });
    if (run.error !== undefined) return t.skip('no bash here');
    assert.equal(run.stdout.trim(), 'EFBIG 8192', run.stderr);
  });
});
