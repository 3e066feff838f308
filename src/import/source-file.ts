/**
 * Opens what is imported: a plain file, or the entries of a zip archive one after the other. Both
 * are streams of chunks, so a file may be larger than memory.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { EXIT, errorCode, UserError } from '#src/base/errors';

/** One file's content. */
export interface SourcePart {
  /** The path, and the entry's name behind it in an archive. */
  readonly where: string;
  readonly bytes: number;
  chunks(): AsyncGenerator<Buffer>;
}

export interface SourceFile {
  readonly parts: readonly SourcePart[];
  /** Bytes of all parts, uncompressed. */
  readonly bytesTotal: number;
  close(): void;
}

/** Rows come in blocks of this size: a few thousand lines for one await. */
const CHUNK_BYTES = 1024 * 1024;

function unreadable(path: string, error: unknown): UserError {
  const code = errorCode(error);
  if (code === '') throw error;
  const what =
    code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file' : `cannot be read (${code})`;
  return new UserError(EXIT.noInput, `${path}: ${what}`, { cause: error });
}

async function* fileChunks(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK_BYTES });
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Inflated data comes in pieces of 16 KiB; this joins them to blocks worth an await. */
async function* joined(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes);
}

async function* entryChunks(zip: ZipFile, entry: Entry, where: string): AsyncGenerator<Buffer> {
  let sum = 0;
  try {
    const stream = await zip.openReadStreamPromise(entry);
    for await (const chunk of joined(stream)) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    throw damaged(where, error);
  }
  if (sum !== entry.crc32) {
    throw new UserError(EXIT.data, `${where}: its checksum does not match: the archive is damaged`);
  }
}

function damaged(where: string, error: unknown): unknown {
  if (error instanceof UserError || !(error instanceof Error)) return error;
  const said = error.message.replace(/\s+/g, ' ');
  return new UserError(EXIT.data, `${where}: the zip archive cannot be read: ${said}`, {
    cause: error,
  });
}

/** The entries of an archive that is being opened; `path` is what messages call it. */
export async function readArchive(
  path: string,
  opening: Promise<ZipFile>,
  accepts: (name: string) => boolean,
): Promise<SourceFile> {
  const parts: SourcePart[] = [];
  let zip: ZipFile | undefined;
  try {
    zip = await opening;
    const open = zip;
    for await (const entry of zip.eachEntry()) {
      const { fileName: name } = entry;
      if (name.endsWith('/') || !accepts(name)) continue;
      const where = `${path}/${name}`;
      if (entry.isEncrypted() || !entry.canDecodeFileData()) {
        const what = entry.isEncrypted() ? 'is encrypted' : 'is compressed in a way not supported';
        throw new UserError(EXIT.data, `${where}: the entry ${what}`);
      }
      const chunks = () => entryChunks(open, entry, where);
      parts.push({ where, bytes: entry.uncompressedSize, chunks });
      // Checked before a row of it is kept: a flipped bit can leave rows that are valid and wrong.
      for await (const _ of chunks());
    }
    if (parts.length === 0) {
      throw new UserError(EXIT.data, `${path}: the archive holds no file of this format`);
    }
  } catch (error) {
    zip?.close();
    throw damaged(path, error);
  }
  const bytesTotal = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { parts, bytesTotal, close: () => zip.close() };
}

/** Opens a file; of an archive (`.zip`), the entries whose names `accepts` takes. */
export async function openSource(
  path: string,
  accepts: (name: string) => boolean,
): Promise<SourceFile> {
  let bytes: number;
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) {
      throw new UserError(EXIT.noInput, `${path}: this is a directory, not a file`);
    }
    bytes = stats.size;
  } catch (error) {
    throw error instanceof UserError ? error : unreadable(path, error);
  }
  if (path.toLowerCase().endsWith('.zip')) {
    return readArchive(path, openPromise(path, { lazyEntries: true, autoClose: false }), accepts);
  }
  const part = { where: path, bytes, chunks: () => fileChunks(path) };
  return { parts: [part], bytesTotal: bytes, close: () => {} };
}
