/**
 * The key that signs cursors (src/api/cursor.ts), kept beside the data: whoever pages through a month
 * goes on after a restart. It is no part of what is stored; with another one (the file was deleted,
 * the lake moved without it) clients begin anew, and that is all.
 */
import { join } from 'node:path';
import { type Disk, readFile, writeFileDurably } from '#src/base/disk';
import { newSecret, SECRET_BYTES } from '#src/base/secret';

const FILE = 'cursor.key';

/** The directory's key; made when there is none, or none that was written whole. Mode 0600. */
export function cursorSecret(disk: Disk, dir: string): Uint8Array {
  const path = join(dir, FILE);
  if (disk.stat(path)?.bytes === SECRET_BYTES) return readFile(disk, path);
  const secret = newSecret();
  writeFileDurably(disk, path, secret);
  return secret;
}
