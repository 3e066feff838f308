/**
 * One owner per data directory. LMDB does not see to it: two processes could both write.
 *
 * Two locks, because each covers what the other cannot: a socket the kernel gives to one process and
 * takes back at kill -9 (lock-socket.ts), which reaches as far as one host or container, and a file
 * that its owner goes on writing (lock-file.ts), for containers and hosts that share the volume.
 */
import { statSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Clock } from '#src/base/clock';
import { type Disk, makeDirectoryDurably } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { inUse, takenOver, unusable } from '#src/supervision/lock-errors';
import { LockFile, lockOwner, probe, REFRESH_MS } from '#src/supervision/lock-file';
import { FRESH_MS, thisOwner } from '#src/supervision/lock-owner';
import { holdSocket, releaseSocket } from '#src/supervision/lock-socket';

export interface DataDirectoryLock {
  /** Gives the directory back. */
  release(): Promise<void>;
}

export interface AcquireOptions {
  readonly clock: Clock;
  /** What the owner does, for the message a second one gets. */
  readonly purpose: string;
  /**
   * Called when the directory is lost: this process stood still for long on a volume shared between
   * hosts, or could not write its lock file for long. It must write no more; by default the error
   * is thrown, which ends the process.
   */
  readonly onLost?: (error: unknown) => void;
  /** False: a socket file, as on systems without abstract sockets. */
  readonly abstractSocket?: boolean;
}

/** Makes the directory (0700) when it is missing, and owns it until released or dead. */
export async function acquireDataDirectory(
  directory: string,
  options: AcquireOptions,
): Promise<DataDirectoryLock> {
  const { clock, purpose, abstractSocket = process.platform === 'linux' } = options;
  const disk = nodeDisk();
  let server: Server | undefined;
  try {
    prepare(disk, directory);
    server = await holdSocket(disk, directory, abstractSocket);
    if (server === undefined) throw inUse(directory, lockOwner(directory));
    const file = await LockFile.take(disk, directory, thisOwner(directory, clock.nowUs(), purpose));
    return keep(directory, file, server, options);
  } catch (error) {
    if (server) await releaseSocket(server);
    throw unusable(directory, error);
  }
}

function prepare(disk: Disk, directory: string): void {
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (stats && !stats.isDirectory()) {
    const message = `The data directory ${directory} is not a directory; set data_dir to another path.`;
    throw new UserError(EXIT.config, message);
  }
  if (!stats) makeDirectoryDurably(disk, directory);
  // Proof that files can be made here, before anything is opened.
  probe(disk, directory);
}

function keep(
  directory: string,
  file: LockFile,
  server: Server,
  { clock, onLost }: AcquireOptions,
): DataDirectoryLock {
  let refreshedMs = clock.monotonicMs();

  /** The reason when the directory is no longer this process's. */
  function refresh(): unknown {
    try {
      const owner = file.refresh();
      if (owner) return takenOver(directory, owner);
      refreshedMs = clock.monotonicMs();
      return undefined;
    } catch (error) {
      // One failed write is no loss. A file that others have seen unwritten for too long is.
      const isLost = clock.monotonicMs() - refreshedMs > FRESH_MS - REFRESH_MS;
      return isLost ? unusable(directory, error) : undefined;
    }
  }

  const timer = setInterval(() => {
    const reason = refresh();
    if (reason === undefined) return;
    clearInterval(timer);
    if (onLost === undefined) throw reason;
    onLost(reason);
  }, REFRESH_MS).unref();
  return {
    async release() {
      clearInterval(timer);
      file.release();
      await releaseSocket(server);
    },
  };
}
