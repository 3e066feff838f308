/** The machine's disk as staging sees it. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { LakeDisk } from './file-sink.js';

export const lakeDisk: LakeDisk = {
  makeDirectory(path) {
    if (existsSync(path)) return;
    const first = mkdirSync(path, { recursive: true });
    if (first === undefined) return;
    // A new folder lasts once its parent is fsynced: from the innermost up to the first new one's.
    for (let at = dirname(path); ; at = dirname(at)) {
      syncDirectory(at);
      if (at === dirname(first)) return;
    }
  },
  writeDurably(path, bytes) {
    const file = openSync(path, 'w');
    try {
      // A full disk shortens a write without an error; the next one then tells.
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },
  rename: renameSync,
  syncDirectory,
};

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
