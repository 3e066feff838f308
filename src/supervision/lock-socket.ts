/**
 * The lock the kernel keeps: a listening unix socket that only one process can have. On Linux its
 * name is abstract and speaks of the directory's device and inode, so every path to the directory is
 * the same lock, nothing is left behind at kill -9, and a stopped process keeps it. Elsewhere it is
 * a file in the directory, which outlives its process and is asked whether anybody still answers.
 */
import { statSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Disk } from '#src/base/disk';
import { errorCode } from '#src/base/errors';

const SOCKET_FILE = 'lock.sock';
/** All of sun_path: node releases differ in how they end a shorter abstract name. */
const NAME_BYTES = 108;

/** The held socket, or undefined when another process has it. */
export async function holdSocket(
  disk: Disk,
  directory: string,
  isAbstract: boolean,
): Promise<Server | undefined> {
  if (isAbstract) {
    const { dev, ino } = statSync(directory, { bigint: true });
    return listen(`\0bullion/${dev}/${ino}/`.padEnd(NAME_BYTES, '.'));
  }
  const path = join(directory, SOCKET_FILE);
  const server = await listen(path);
  if (server !== undefined || (await isAnswered(path))) return server;
  disk.unlink(path);
  return listen(path);
}

export function releaseSocket(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function listen(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  // Holding the directory is no reason for the process to stay alive.
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path, exclusive: true }, () => resolve(server));
  });
}

function isAnswered(path: string): Promise<boolean> {
  const socket = createConnection(path);
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
