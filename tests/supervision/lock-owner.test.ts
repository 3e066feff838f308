import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fateOf, isSameOwner, type LockOwner, startTicksOf } from '#src/supervision/lock-owner';

const self: LockOwner = {
  pid: 100,
  startTicks: '5000',
  host: 'here',
  bootId: 'boot',
  pidNamespace: 'pid:[1]',
  socketNamespace: 'net:[1]',
  inode: '42',
  startedUs: 1,
  purpose: 'supervisor',
};
/** Process 7 lives since tick 70; nothing else does. */
const ticksOf = (pid: number): string | undefined => (pid === 7 ? '70' : undefined);

const cases: [string, Partial<LockOwner>, ReturnType<typeof fateOf>][] = [
  ['a living process', { pid: 7, startTicks: '70' }, 'alive'],
  ['a reused pid', { pid: 7, startTicks: '60' }, 'gone'],
  ['a dead process', { pid: 8, startTicks: '80' }, 'gone'],
  ['another boot of the same machine', { pid: 7, startTicks: '70', bootId: 'other' }, 'unknown'],
  ['another machine of the same name', { pid: 8, bootId: 'other' }, 'unknown'],
  [
    'another container',
    { pid: 7, startTicks: '70', pidNamespace: 'pid:[2]', socketNamespace: 'net:[2]' },
    'unknown',
  ],
  ['a container that shares the sockets', { pid: 7, pidNamespace: 'pid:[2]' }, 'gone'],
  ['the original of a copied directory', { pid: 7, startTicks: '70', inode: '43' }, 'gone'],
];

for (const [name, changes, expected] of cases) {
  test(`fate of an owner: ${name}`, () => {
    assert.equal(fateOf({ ...self, ...changes }, self, ticksOf), expected);
  });
}

test('without boot ids, the host name says which kernel', () => {
  const bare = { ...self, bootId: '', pidNamespace: '', socketNamespace: '', startTicks: '' };
  const alive = (): string => '';
  assert.equal(fateOf({ ...bare, pid: 7 }, bare, alive), 'alive');
  assert.equal(
    fateOf({ ...bare, pid: 7 }, bare, () => undefined),
    'gone',
  );
  assert.equal(fateOf({ ...bare, pid: 7, host: 'there' }, bare, alive), 'unknown');
});

test('an owner is itself and nobody else', () => {
  assert.ok(isSameOwner(self, { ...self, purpose: 'import' }));
  for (const changes of [{ pid: 1 }, { startTicks: '1' }, { bootId: 'x' }, { startedUs: 2 }]) {
    assert.equal(isSameOwner(self, { ...self, ...changes }), false);
  }
});

test('a living process has a start time, a dead or unborn one none', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  assert.notEqual(startTicksOf(child.pid!), undefined);
  assert.equal(startTicksOf(child.pid!), startTicksOf(child.pid!));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(startTicksOf(child.pid!), undefined);
});
