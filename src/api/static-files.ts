/**
 * Files that clients are given as they are: those of the page and of the documents. What is on a list
 * is served and nothing else, so no path a client sends ever reaches the disk.
 *
 * A file is one buffer however many clients are taking it, and however slowly: what waits for a slow
 * reader is a reference to it. (A stream per reader costs 800 KiB each, measured.)
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { FastifyInstance } from 'fastify';

export interface StaticFile {
  /** The URL's path. */
  readonly path: string;
  readonly type: string;
  readonly bytes: () => Buffer;
}

/** Asked for again at every visit, sent again only when it has changed. */
const CACHE = 'no-cache';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
};

/** A file on the disk, read when it is first asked for and kept. */
export function fileAt(path: string, file: string): StaticFile {
  let bytes: Buffer | undefined;
  return {
    path,
    type: TYPES[extname(file)] as string,
    bytes: () => {
      bytes ??= readFileSync(file);
      return bytes;
    },
  };
}

/** A file that is made here. */
export function fileOf(path: string, extension: string, text: string): StaticFile {
  const bytes = Buffer.from(text);
  return { path, type: TYPES[extension] as string, bytes: () => bytes };
}

/** Public, because they hold no data. `policy`: another than the one of every answer. */
export function serveFiles(
  app: FastifyInstance,
  files: readonly StaticFile[],
  policy?: string,
): void {
  for (const { path, type, bytes } of files) {
    let tag: string | undefined;
    // Part of a page, not of the API: the documents do not list it.
    const options = { schema: { hide: true }, config: { access: 'public', isFile: true } } as const;
    app.get(path, options, (request, reply) => {
      const whole = bytes();
      tag ??= `"${createHash('sha256').update(whole).digest('base64url').slice(0, 22)}"`;
      void reply.headers({ 'cache-control': CACHE, etag: tag });
      if (policy !== undefined) void reply.header('content-security-policy', policy);
      if (request.headers['if-none-match'] === tag) void reply.code(304).send();
      else void reply.type(type).send(whole);
    });
  }
}
